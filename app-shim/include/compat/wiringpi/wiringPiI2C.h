/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wiringPiI2C.h: there is no I2C bus here. Programs compile; whoever sets one up is told so
 * and gets -1, as where there is none.
 */
#ifndef __WIRING_PI_I2C_H__
#define __WIRING_PI_I2C_H__

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((__weak__)) int app_shim_wpi_no_i2c(const char *function)
{
	fprintf(stderr, "%s: no I2C bus here\n", function);
	errno = ENODEV;
	return -1;
}

__attribute__((__weak__)) int wiringPiI2CSetup(const int devId)
{
	(void)devId;
	return app_shim_wpi_no_i2c("wiringPiI2CSetup");
}

__attribute__((__weak__)) int wiringPiI2CSetupInterface(const char *device, int devId)
{
	(void)device;
	(void)devId;
	return app_shim_wpi_no_i2c("wiringPiI2CSetupInterface");
}

__attribute__((__weak__)) int wiringPiI2CRead(int fd)
{
	(void)fd;
	return app_shim_wpi_no_i2c("wiringPiI2CRead");
}

__attribute__((__weak__)) int wiringPiI2CReadReg8(int fd, int reg)
{
	(void)fd;
	(void)reg;
	return app_shim_wpi_no_i2c("wiringPiI2CReadReg8");
}

__attribute__((__weak__)) int wiringPiI2CReadReg16(int fd, int reg)
{
	(void)fd;
	(void)reg;
	return app_shim_wpi_no_i2c("wiringPiI2CReadReg16");
}

__attribute__((__weak__)) int wiringPiI2CReadBlockData(int fd, int reg, uint8_t *values, uint8_t size)
{
	(void)fd;
	(void)reg;
	(void)values;
	(void)size;
	return app_shim_wpi_no_i2c("wiringPiI2CReadBlockData");
}

__attribute__((__weak__)) int wiringPiI2CRawRead(int fd, uint8_t *values, uint8_t size)
{
	(void)fd;
	(void)values;
	(void)size;
	return app_shim_wpi_no_i2c("wiringPiI2CRawRead");
}

__attribute__((__weak__)) int wiringPiI2CWrite(int fd, int data)
{
	(void)fd;
	(void)data;
	return app_shim_wpi_no_i2c("wiringPiI2CWrite");
}

__attribute__((__weak__)) int wiringPiI2CWriteReg8(int fd, int reg, int data)
{
	(void)fd;
	(void)reg;
	(void)data;
	return app_shim_wpi_no_i2c("wiringPiI2CWriteReg8");
}

__attribute__((__weak__)) int wiringPiI2CWriteReg16(int fd, int reg, int data)
{
	(void)fd;
	(void)reg;
	(void)data;
	return app_shim_wpi_no_i2c("wiringPiI2CWriteReg16");
}

__attribute__((__weak__)) int wiringPiI2CWriteBlockData(int fd, int reg, const uint8_t *values, uint8_t size)
{
	(void)fd;
	(void)reg;
	(void)values;
	(void)size;
	return app_shim_wpi_no_i2c("wiringPiI2CWriteBlockData");
}

__attribute__((__weak__)) int wiringPiI2CRawWrite(int fd, const uint8_t *values, uint8_t size)
{
	(void)fd;
	(void)values;
	(void)size;
	return app_shim_wpi_no_i2c("wiringPiI2CRawWrite");
}

#ifdef __cplusplus
}
#endif

#endif /* __WIRING_PI_I2C_H__ */

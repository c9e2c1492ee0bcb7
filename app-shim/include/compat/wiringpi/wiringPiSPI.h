/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wiringPiSPI.h: there is no SPI bus here. Programs compile; whoever sets one up is told so
 * and gets -1, as where there is none.
 */
#ifndef __WIRING_PI_SPI_H__
#define __WIRING_PI_SPI_H__

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((__weak__)) int app_shim_wpi_no_spi(const char *function)
{
	fprintf(stderr, "%s: no SPI bus here\n", function);
	errno = ENODEV;
	return -1;
}

__attribute__((__weak__)) int wiringPiSPIGetFd(int channel)
{
	(void)channel;
	return app_shim_wpi_no_spi("wiringPiSPIGetFd");
}

__attribute__((__weak__)) int wiringPiSPIDataRW(int channel, unsigned char *data, int len)
{
	(void)channel;
	(void)data;
	(void)len;
	return app_shim_wpi_no_spi("wiringPiSPIDataRW");
}

__attribute__((__weak__)) int wiringPiSPISetupMode(int channel, int speed, int mode)
{
	(void)channel;
	(void)speed;
	(void)mode;
	return app_shim_wpi_no_spi("wiringPiSPISetupMode");
}

__attribute__((__weak__)) int wiringPiSPISetup(int channel, int speed)
{
	(void)channel;
	(void)speed;
	return app_shim_wpi_no_spi("wiringPiSPISetup");
}

__attribute__((__weak__)) int wiringPiSPIClose(const int channel)
{
	(void)channel;
	return app_shim_wpi_no_spi("wiringPiSPIClose");
}

__attribute__((__weak__)) int wiringPiSPIxGetFd(const int number, int channel)
{
	(void)number;
	(void)channel;
	return app_shim_wpi_no_spi("wiringPiSPIxGetFd");
}

__attribute__((__weak__)) int wiringPiSPIxDataRW(const int number, const int channel, unsigned char *data, const int len)
{
	(void)number;
	(void)channel;
	(void)data;
	(void)len;
	return app_shim_wpi_no_spi("wiringPiSPIxDataRW");
}

__attribute__((__weak__)) int wiringPiSPIxSetupMode(const int number, const int channel, const int speed, const int mode)
{
	(void)number;
	(void)channel;
	(void)speed;
	(void)mode;
	return app_shim_wpi_no_spi("wiringPiSPIxSetupMode");
}

__attribute__((__weak__)) int wiringPiSPIxSetup(const int number, const int channel, const int speed)
{
	(void)number;
	(void)channel;
	(void)speed;
	return app_shim_wpi_no_spi("wiringPiSPIxSetup");
}

__attribute__((__weak__)) int wiringPiSPIxClose(const int number, const int channel)
{
	(void)number;
	(void)channel;
	return app_shim_wpi_no_spi("wiringPiSPIxClose");
}

#ifdef __cplusplus
}
#endif

#endif /* __WIRING_PI_SPI_H__ */

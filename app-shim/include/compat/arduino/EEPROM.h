/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* EEPROM.h: the EEPROM, kept in a file: see app_shim_eeprom.h. */
#ifndef EEPROM_h
#define EEPROM_h

#include "app_shim_eeprom.h"

#ifdef __cplusplus

/* A cell. */
struct EERef {
	EERef(int index) : index(index)
	{
	}
	uint8_t operator*() const
	{
		return *app_shim_eeprom_cell((size_t)index);
	}
	operator uint8_t() const
	{
		return **this;
	}
	EERef &operator=(const EERef &other)
	{
		return *this = *other;
	}
	EERef(const EERef &) = default;
	EERef &operator=(uint8_t value)
	{
		*app_shim_eeprom_cell((size_t)index) = value;
		return *this;
	}
	EERef &update(uint8_t value)
	{
		return *this = value;
	}
	EERef &operator+=(uint8_t value)
	{
		return *this = (uint8_t)(**this + value);
	}
	EERef &operator-=(uint8_t value)
	{
		return *this = (uint8_t)(**this - value);
	}
	EERef &operator*=(uint8_t value)
	{
		return *this = (uint8_t)(**this * value);
	}
	EERef &operator/=(uint8_t value)
	{
		return *this = (uint8_t)(**this / value);
	}
	EERef &operator%=(uint8_t value)
	{
		return *this = (uint8_t)(**this % value);
	}
	EERef &operator^=(uint8_t value)
	{
		return *this = (uint8_t)(**this ^ value);
	}
	EERef &operator&=(uint8_t value)
	{
		return *this = (uint8_t)(**this & value);
	}
	EERef &operator|=(uint8_t value)
	{
		return *this = (uint8_t)(**this | value);
	}
	EERef &operator<<=(uint8_t value)
	{
		return *this = (uint8_t)(**this << value);
	}
	EERef &operator>>=(uint8_t value)
	{
		return *this = (uint8_t)(**this >> value);
	}
	EERef &operator++()
	{
		return *this += 1;
	}
	EERef &operator--()
	{
		return *this -= 1;
	}
	uint8_t operator++(int)
	{
		uint8_t was = **this;
		++*this;
		return was;
	}
	uint8_t operator--(int)
	{
		uint8_t was = **this;
		--*this;
		return was;
	}

	int index;
};

/* Goes from cell to cell. */
struct EEPtr {
	EEPtr(int index) : index(index)
	{
	}
	operator int() const
	{
		return index;
	}
	bool operator!=(const EEPtr &other) const
	{
		return index != other.index;
	}
	EERef operator*() const
	{
		return index;
	}
	EEPtr &operator++()
	{
		++index;
		return *this;
	}
	EEPtr &operator--()
	{
		--index;
		return *this;
	}
	EEPtr operator++(int)
	{
		return index++;
	}
	EEPtr operator--(int)
	{
		return index--;
	}

	int index;
};

class EEPROMClass {
public:
	constexpr EEPROMClass() : size(E2END + 1)
	{
	}

	/* How many cells length() counts; boards without an EEPROM ask for some. */
	bool begin(size_t cells)
	{
		if (cells == 0 || cells > APP_SHIM_EEPROM_MOST)
			return false;
		size = cells;
		return true;
	}
	/* Writes are kept at once; this has them on the disk. */
	bool commit()
	{
		const char *name = getenv("APP_SHIM_ARDUINO_EEPROM");
		if (name == NULL || *name == '\0')
			return true;
		return msync(app_shim_eeprom_cell(0), APP_SHIM_EEPROM_MOST,
			     MS_SYNC) == 0;
	}
	EEPtr begin()
	{
		return 0;
	}
	EEPtr end()
	{
		return (int)size;
	}
	uint16_t length()
	{
		return (uint16_t)size;
	}

	EERef operator[](int index)
	{
		return index;
	}
	uint8_t read(int index)
	{
		return *app_shim_eeprom_cell((size_t)index);
	}
	void write(int index, uint8_t value)
	{
		*app_shim_eeprom_cell((size_t)index) = value;
	}
	void update(int index, uint8_t value)
	{
		write(index, value);
	}
	template <class T> T &get(int index, T &value)
	{
		uint8_t *to = reinterpret_cast<uint8_t *>(&value);
		for (size_t n = 0; n < sizeof(T); n++)
			to[n] = read(index + (int)n);
		return value;
	}
	template <class T> const T &put(int index, const T &value)
	{
		const uint8_t *from = reinterpret_cast<const uint8_t *>(&value);
		for (size_t n = 0; n < sizeof(T); n++)
			update(index + (int)n, from[n]);
		return value;
	}

private:
	size_t size;
};

__attribute__((__weak__)) EEPROMClass EEPROM;

#endif /* __cplusplus */
#endif /* EEPROM_h */

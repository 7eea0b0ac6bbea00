// SPDX-License-Identifier: Apache-2.0
// libFuzzer target of the loader (LASTBIT_FUZZ): any bytes, with an honest length in the header.
#include <cstdint>
#include <cstring>
#include <vector>

#include "program/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  if (size >= 12) {
    const auto total = static_cast<uint32_t>(size);
    std::memcpy(bytes.data() + 8, &total, 4);
  }
  lastbit::program::load(bytes.data(), bytes.size());
  return 0;
}

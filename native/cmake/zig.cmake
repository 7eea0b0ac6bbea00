# SPDX-License-Identifier: Apache-2.0
# Cross build by zig's clang for any of its targets:
#   -DCMAKE_TOOLCHAIN_FILE=native/cmake/zig.cmake -DLASTBIT_ZIG=PATH/TO/zig
#   -DLASTBIT_ZIG_TARGET=x86_64-linux-gnu.2.28 -DLASTBIT_ZIG_SYSTEM=Linux
# The target names its own C library, so that the oldest system it loads on is a choice, not an accident.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LASTBIT_ZIG LASTBIT_ZIG_TARGET LASTBIT_ZIG_SYSTEM)
set(CMAKE_SYSTEM_NAME ${LASTBIT_ZIG_SYSTEM})
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR ${LASTBIT_ZIG_TARGET})
set(CMAKE_CXX_COMPILER ${LASTBIT_ZIG} c++)
# A named target has its plain baseline: nothing of the building machine's CPU gets in.
set(CMAKE_CXX_FLAGS_INIT "-target ${LASTBIT_ZIG_TARGET}")
# Zig keeps debug information unless it is told to leave it out: 22 MB of 24.
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-s")

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# avx512.sh BUILD_DIR SECONDS [COMMAND...]: runs the kernel check and the native tests on an emulated
# CPU with AVX-512 and VNNI (Bochs), where the machine has none; NOTES.md says why Bochs. Each
# COMMAND is one word list for the machine, "/check --seed 1" for example. Fails unless every
# command exits 0 within SECONDS.
# LASTBIT_KERNEL names a Linux kernel (bzImage); without it Debian's cloud kernel is fetched by apt.
# Debian packages: bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso cpio.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
limit=$2
shift 2
[ $# -gt 0 ] || set -- "/check --seed 7 --only gemm --cases 60" \
  "/check --seed 7 --only dwconv --cases 60" "/check --seed 7 --only add --cases 60" \
  "/native_tests --gtest_brief=1"

# Static programs: the machine's file system holds nothing else.
cmake -S "$here/../.." -B "$build" -DLASTBIT_TESTS=ON -DLASTBIT_ADDON=OFF \
  -DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
cmake --build "$build" -j 2 --target check native_tests
machine=$build/machine
rm -rf "$machine/root" "$machine/iso"
mkdir -p "$machine/root/proc" "$machine/iso"
g++ -std=c++17 -O1 -static -s -o "$machine/root/init" "$here/init.cc"
for program in check native_tests; do
  strip -o "$machine/root/$program" "$build/$program"
done
printf '%s\n' "$@" >"$machine/root/commands"
(cd "$machine/root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$machine/iso/initrd.gz"

kernel=${LASTBIT_KERNEL:-}
if [ -z "$kernel" ] && ! ls "$machine"/kernel/boot/vmlinuz-* >/dev/null 2>&1; then
  mkdir -p "$machine/download"
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  (cd "$machine/download" && apt-get download -q "$package")
  dpkg-deb -x "$machine"/download/linux-image-*.deb "$machine/kernel"
fi
cp "${kernel:-$(ls "$machine"/kernel/boot/vmlinuz-* | head -n 1)}" "$machine/iso/vmlinuz"
cp "$here/isolinux.cfg" /usr/lib/ISOLINUX/isolinux.bin \
  /usr/lib/syslinux/modules/bios/ldlinux.c32 "$machine/iso/"
xorriso -as mkisofs -quiet -o "$machine/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
  -boot-load-size 4 -boot-info-table "$machine/iso"

# The display wants a terminal, Debian's Bochs starts in its debugger: `script` is the one, "c" (go
# on) the answer to the other.
cd "$machine"
rm -f serial.txt
echo c >continue.rc
TERM=vt100 script -qfc "exec bochs -q -f '$here/bochsrc' -rc continue.rc" screen.txt \
  </dev/null >/dev/null 2>&1 &
bochs=$!
trap 'kill "$bochs" 2>/dev/null || true' EXIT
begin=$SECONDS
while kill -0 "$bochs" 2>/dev/null && [ $((SECONDS - begin)) -lt "$limit" ]; do
  sleep 1
  if grep -qs '^done' serial.txt; then break; fi
done
tr -d '\r' <serial.txt | grep -v '^\[' || true
echo "emulated machine: $((SECONDS - begin)) s"
passed=$(tr -d '\r' <serial.txt | grep -c '^exit 0: ' || true)
if ! grep -qs '^done' serial.txt || [ "$passed" != $# ]; then
  echo "emulated machine: $passed of $# commands passed within $limit s (log: $machine)" >&2
  exit 1
fi

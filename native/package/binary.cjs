// SPDX-License-Identifier: Apache-2.0
// What a built engine says of itself in its header, without the tools of its platform.

/** ELF's e_machine, PE's Machine and Mach-O's cputype, as Node names processors. */
const machines = {
  elf: { 62: 'x64', 183: 'arm64' },
  pe: { 0x8664: 'x64', 0xaa64: 'arm64' },
  macho: { 0x01000007: 'x64', 0x0100000c: 'arm64' },
};

/**
 * The system and the processor that a shared library was linked for.
 *
 * @param {Buffer} bytes
 * @returns {{ os: string, cpu: string }}
 */
function platformOf(bytes) {
  if (bytes.readUInt32BE(0) === 0x7f454c46) {
    return { os: 'linux', cpu: machines.elf[bytes.readUInt16LE(18)] };
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) {
    return { os: 'darwin', cpu: machines.macho[bytes.readUInt32LE(4)] };
  }
  if (bytes.toString('latin1', 0, 2) === 'MZ') {
    const header = bytes.readUInt32LE(0x3c);
    return { os: 'win32', cpu: machines.pe[bytes.readUInt16LE(header + 4)] };
  }
  throw new Error('neither ELF, Mach-O nor PE');
}

/** Versions of glibc that a library's symbols are bound to, without order. */
function glibcVersions(bytes) {
  const found = bytes.toString('latin1').matchAll(/GLIBC_(\d+(?:\.\d+)+)\0/g);
  return [...new Set([...found].map(([, version]) => version))];
}

/** Compares versions number by number. */
function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The newest glibc that a library asks for, or undefined where it asks for none. */
function newestGlibc(bytes) {
  return glibcVersions(bytes).sort(compareVersions).at(-1);
}

module.exports = { platformOf, newestGlibc, compareVersions };

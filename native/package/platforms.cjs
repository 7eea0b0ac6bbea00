// SPDX-License-Identifier: Apache-2.0
// The platforms that have an engine of their own in the registry, and how zig names each.

/**
 * One published engine.
 * @typedef {object} Platform
 * @property {string} name as `src/engine/find-engine.ts` asks for it
 * @property {string} os `process.platform`
 * @property {string} cpu `process.arch`
 * @property {'glibc' | 'musl'} [libc] only where a system has two
 * @property {string} target zig's name, with the oldest C library or system that it may load on
 * @property {string} system CMake's name of the system
 */

/** glibc 2.28: Debian 10, RHEL 8, Ubuntu 20.04; Node 20's own floor. */
const glibc = '2.28';

/** @type {readonly Platform[]} */
const platforms = [
  linux('x64', 'x86_64', 'glibc', `gnu.${glibc}`),
  linux('x64', 'x86_64', 'musl', 'musl'),
  linux('arm64', 'aarch64', 'glibc', `gnu.${glibc}`),
  linux('arm64', 'aarch64', 'musl', 'musl'),
  // Node 20 itself asks for macOS 10.15 on Intel and 11 on Apple's own.
  macos('arm64', 'aarch64', '11.0'),
  macos('x64', 'x86_64', '10.15'),
  {
    name: 'win32-x64',
    os: 'win32',
    cpu: 'x64',
    target: 'x86_64-windows-gnu',
    system: 'Windows',
  },
];

/** @returns {Platform} */
function linux(cpu, processor, libc, abi) {
  const name = `linux-${cpu}-${libc === 'glibc' ? 'gnu' : libc}`;
  return { name, os: 'linux', cpu, libc, target: `${processor}-linux-${abi}`, system: 'Linux' };
}

/** @returns {Platform} */
function macos(cpu, processor, oldest) {
  const target = `${processor}-macos.${oldest}`;
  return { name: `darwin-${cpu}`, os: 'darwin', cpu, target, system: 'Darwin' };
}

/** The platform of this Node, or undefined. */
function hostPlatform() {
  const libc = require('detect-libc').familySync();
  return platforms.find(
    (platform) =>
      platform.os === process.platform &&
      platform.cpu === process.arch &&
      (platform.libc === undefined || platform.libc === libc),
  );
}

/** This system's glibc, or undefined where it has none. */
function hostGlibc() {
  return process.report.getReport().header.glibcVersionRuntime;
}

module.exports = { platforms, hostPlatform, hostGlibc, glibc };

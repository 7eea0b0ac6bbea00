// SPDX-License-Identifier: Apache-2.0
export function platformOf(bytes: Buffer): { readonly os: string; readonly cpu: string };
export function newestGlibc(bytes: Buffer): string | undefined;
export function compareVersions(a: string, b: string): number;

// SPDX-License-Identifier: Apache-2.0
export interface Platform {
  readonly name: string;
  readonly os: string;
  readonly cpu: string;
  readonly libc?: 'glibc' | 'musl';
  readonly target: string;
  readonly system: string;
}

export const platforms: readonly Platform[];
export const glibc: string;
export function hostPlatform(): Platform | undefined;
export function hostGlibc(): string | undefined;

// SPDX-License-Identifier: Apache-2.0
import type { Platform } from './platforms.cjs';

interface PublishedManifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface EngineManifest {
  readonly name: string;
  readonly version: string;
  readonly os: readonly string[];
  readonly cpu: readonly string[];
  readonly libc?: readonly string[];
}

export function enginePackage(platform: { readonly name: string }): string;
export function publishedManifest(
  repository: object,
  platforms: readonly { readonly name: string }[],
  bundled: readonly string[],
): PublishedManifest;
export function engineManifest(repository: object, platform: Platform): EngineManifest;

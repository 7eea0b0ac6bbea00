// SPDX-License-Identifier: Apache-2.0

/** Indices of the groups that a layer writes and reads; undefined where that value keeps its scale. */
export interface Places {
  readonly written: number | undefined;
  readonly read: number | undefined;
}

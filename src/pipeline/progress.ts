// SPDX-License-Identifier: Apache-2.0

/** Told how far a stage of long work has come. */
export type ProgressListener = (stage: string, done: number, total: number) => void;

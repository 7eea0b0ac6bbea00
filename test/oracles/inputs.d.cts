// SPDX-License-Identifier: Apache-2.0
/** What a golden's inputs are: noise from seeds, then the first files of a folder by name. */
export interface InputFacts {
  readonly height: number;
  readonly width: number;
  readonly type: 'u8' | 's8';
  readonly noise: number;
  readonly images: number;
}

export function seededBytes(seed: string, length: number): Buffer;
export function goldenInputs(facts: InputFacts, folder: string): AsyncGenerator<Buffer>;

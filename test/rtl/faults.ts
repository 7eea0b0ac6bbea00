// SPDX-License-Identifier: Apache-2.0
// Mistakes that the designs of this folder can be told to make, and how a checker has to call them.

/** Plus-arguments of a simulation, and the cause that has to be named. */
export interface Fault {
  readonly plusargs: string;
  readonly cause: string;
  /** The design that makes it; both where nothing is said. */
  readonly only?: 'systolic' | 'depthwise';
}

export const faults: readonly Fault[] = [
  { plusargs: '+rule=0', cause: 'rounds down (floor)' },
  { plusargs: '+rule=1', cause: 'rounds up (ceil)' },
  { plusargs: '+rule=2', cause: 'rounds toward zero' },
  { plusargs: '+rule=3', cause: 'rounds half up, once' },
  { plusargs: '+rule=4', cause: 'rounds half down' },
  { plusargs: '+rule=5', cause: 'rounds half away from zero, once', only: 'systolic' },
  { plusargs: '+rule=6', cause: 'rounds half toward zero' },
  { plusargs: '+rule=7', cause: 'rounds half to even' },
  { plusargs: '+rule=8', cause: 'rounds half to odd' },
  {
    plusargs: '+rule=9',
    cause: 'rounds twice (gemmlowp: half up, then half away from zero)',
    only: 'depthwise',
  },
  { plusargs: '+rule=10', cause: 'rounds twice, both half up' },
  { plusargs: '+fault=1', cause: 'output zero point missing' },
  { plusargs: '+fault=2', cause: 'activation missing (clamp to the type alone)' },
  { plusargs: '+fault=3', cause: 'saturation missed (result wraps)' },
  {
    plusargs: '+fault=4',
    cause: 'padding of 0 in the place of the input zero point',
    only: 'depthwise',
  },
  {
    plusargs: '+fault=5',
    cause: 'channels before rows and columns (NCHW for NHWC, or the reverse)',
  },
  { plusargs: '+fault=6', cause: 'input zero point missing' },
  { plusargs: '+fault=7', cause: 'bias missing' },
  { plusargs: '+fault=8', cause: 'one shift too few' },
  { plusargs: '+fault=9', cause: 'one shift too many' },
  { plusargs: '+fault=10', cause: 'multiplier and shift of channel 0 for all' },
  { plusargs: '+fault=11', cause: 'accumulator of 16 bits wraps' },
  { plusargs: '+fault=12', cause: 'accumulator of 16 bits saturates' },
];

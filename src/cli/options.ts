// SPDX-License-Identifier: Apache-2.0
// Each option is written once: how it looks on the command line, and the schema that its value has
// to pass whether it came from there or from a config file.
import { z } from 'zod';

export interface OptionSpec<Schema extends z.ZodType = z.ZodType> {
  /** Commander's notation: `-o, --output <file>`; without `<>` it is a switch. */
  readonly flags: string;
  readonly description: string;
  readonly schema: Schema;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The values of a set of options. */
export type OptionValues<Specs extends OptionSpecs> = {
  readonly [Name in keyof Specs]: z.output<Specs[Name]['schema']>;
};

export function option<Schema extends z.ZodType>(
  flags: string,
  description: string,
  schema: Schema,
): OptionSpec<Schema> {
  return { flags, description, schema };
}

/** Text that is not empty. */
export const text = z.string().min(1);

/** A whole number, as a number or as its digits. */
export const integer = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value),
    z.int().min(min).max(max),
  );

/** `a,b,c`, or a list in a config file. */
export const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
  z.array(text).min(1),
);

const toggle = z.boolean().default(false);

/** Options that every command has. */
export const everywhere = {
  config: option('-c, --config <file>', 'read options from a JSON file', text.optional()),
  format: option(
    '--format <form>',
    'human (default) or json',
    z.enum(['human', 'json']).default('human'),
  ),
  verbose: option('-v, --verbose', 'say more on standard error', toggle),
} as const;

export const overwrite = option('--overwrite', 'replace files that are there', toggle);

export const resume = option('--resume', 'continue an interrupted run in --out', toggle);

export const model = option('-m, --model <file>', 'the model', text);

export const target = option(
  '--target <name>',
  'arithmetic profile, see `targets`',
  text.optional(),
);

export const threads = option(
  '--threads <n>',
  'threads to use (default: the number of processors)',
  integer(1, 1024).optional(),
);

export const queue = option(
  '--queue <url>',
  'Redis through which `lastbit worker` processes run the images: redis://HOST:PORT, rediss:// for TLS',
  text.optional(),
);

export const form = option(
  '--form <form>',
  'of an .onnx file: qdq (default), qop, or (convert only) integer: exact in any runtime',
  z.enum(['qdq', 'qop', 'integer']).optional(),
);

export const limit = option('--limit <n>', 'take only the first n images', integer(1).optional());

export const images = option('--images <dir>', 'folder of images', text.optional());

/** How pixels become inputs. */
export const preprocessing = {
  preprocess: option(
    '--preprocess <preset>',
    'tf, torchvision, unit or none (default: what the model says)',
    text.optional(),
  ),
  geometry: option(
    '--geometry <how>',
    'auto (default), preset, crop or stretch',
    z.enum(['auto', 'preset', 'crop', 'stretch']).optional(),
  ),
} as const;

export const inputKind = option(
  '--input-kind <kind>',
  'auto (default), or codes: u8 data is codes, not pixels',
  z.enum(['auto', 'codes']).optional(),
);

/** What an untrusted file may cost. */
export const limits = {
  maxMemory: option(
    '--max-memory <MiB>',
    'memory that one file may ask for (default 1024)',
    integer(1).optional(),
  ),
  maxSteps: option(
    '--max-steps <n>',
    'multiply-accumulates and element steps of one inference (default 100000000000)',
    integer(1).optional(),
  ),
} as const;

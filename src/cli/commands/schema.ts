// SPDX-License-Identifier: Apache-2.0
import { exitCodes, schemaOf } from '../../index.js';
import { defineCommand } from '../command.js';
import { option, text } from '../options.js';

export const schemaCommand = defineCommand({
  name: 'schema',
  summary: 'JSON Schema of a file: target, recipe, golden (its manifest)',
  positionals: ['name'],
  examples: ['lastbit schema target > target.schema.json'],
  options: { name: option('--name <name>', 'target, recipe or golden', text) },
  run: ({ name }, { print }) => {
    print(schemaOf(name), (schema) => `${JSON.stringify(schema, undefined, 2)}\n`);
    return Promise.resolve(exitCodes.ok);
  },
});

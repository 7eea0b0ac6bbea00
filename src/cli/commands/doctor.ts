// SPDX-License-Identifier: Apache-2.0
import { examineInstallation, exitCodes } from '../../index.js';
import { doctorText } from '../../report/index.js';
import { defineCommand } from '../command.js';

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'whether lastbit can work here: engine, instruction sets, optional packages, disk',
  positionals: [],
  examples: ['lastbit doctor'],
  options: {},
  run: (_, { print }) => {
    const document = examineInstallation();
    print(document, doctorText);
    return Promise.resolve(document.ok ? exitCodes.ok : exitCodes.checkFailed);
  },
});

// SPDX-License-Identifier: Apache-2.0
import { listedIn, ModelError } from '../errors.js';

interface Problem {
  readonly code: string;
  readonly where: string;
  readonly detail: string;
}

/**
 * Everything that is wrong with a model, so that one error names all of it and nobody has to
 * repair a file node by node.
 */
export class Problems {
  private readonly list: Problem[] = [];

  /** Arguments as {@link ModelError}'s. */
  add(code: string, where: string, detail: string): void {
    this.list.push({ code, where, detail });
  }

  get any(): boolean {
    return this.list.length > 0;
  }

  /**
   * @throws ModelError naming every problem; its code is the common one, or `unsupported-model`
   *   where they differ
   */
  throwIfAny(): void {
    const first = this.list[0];
    if (first === undefined) return;
    if (this.list.length === 1) {
      const { code, where, detail } = first;
      throw new ModelError(code, where, listedIn([detail], code, where));
    }
    const same = this.list.every((problem) => problem.code === first.code);
    const lines = this.list.map(
      ({ code, where, detail }) => `${where}${same ? '' : ` [${code}]`}: ${detail}`,
    );
    const [code, where] = [same ? first.code : 'unsupported-model', `${this.list.length} problems`];
    throw new ModelError(code, where, listedIn(lines, code, where));
  }
}

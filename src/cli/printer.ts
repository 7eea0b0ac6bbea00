// SPDX-License-Identifier: Apache-2.0
// The one place where text leaves a command. Names come from files that anyone may have written, so they
// are escaped before they are laid out (a line break in a name makes no line), and once more on the way
// out, so that no part of lastbit can forget it. In JSON the escapes are JSON's own: it parses to the same.
import { escapeAllButLines, escapeControls } from '../errors.js';
import { toJson } from '../index.js';
import type { Origin } from '../report/json.js';
import type { Terminal } from './terminal.js';

/** Renders a document for people; its strings are safe to lay out. */
type Render<Document> = (document: Document) => string;

export interface Printer {
  /** A result, as JSON or laid out, on standard output. */
  document<Document extends object>(document: Document, human: Render<Document>): void;
  /** Facts beside the result on standard error; not in JSON mode, where the document has them. */
  note<Document extends object>(document: Document, human: Render<Document>): void;
  /** One line on standard error in any mode. */
  warn(text: string): void;
}

/**
 * @param to as {@link safeTerminal} makes it
 * @param origin what JSON says of the command besides
 */
export function printerTo(to: Terminal, json: boolean, origin: Origin): Printer {
  return {
    document: (document, human) => {
      to.out(json ? toJson(document, origin) : human(escapeStrings(document)));
    },
    note: (document, human) => {
      if (!json) to.err(human(escapeStrings(document)));
    },
    warn: (text) => {
      to.err(`warning ${escapeControls(text)}\n`);
    },
  };
}

/** A terminal that is never given anything but text and ends of lines. */
export function safeTerminal(terminal: Terminal): Terminal {
  return {
    interactive: terminal.interactive,
    out: (text) => {
      terminal.out(escapeAllButLines(text));
    },
    err: (text) => {
      terminal.err(escapeAllButLines(text));
    },
  };
}

/** The same document with the strings and keys in it escaped. */
function escapeStrings<Document>(document: Document): Document {
  return escapedValue(document) as Document;
}

function escapedValue(value: unknown): unknown {
  if (typeof value === 'string') return escapeControls(value);
  if (Array.isArray(value)) return value.map(escapedValue);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [escapeControls(key), escapedValue(inner)]),
  );
}

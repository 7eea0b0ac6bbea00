// SPDX-License-Identifier: Apache-2.0
// Makes every activation of a .tflite file an output of its graph, by appending a longer vector and
// pointing the subgraph's field at it. Field numbers: src/tflite/reader.ts.

/** Position of a table's field, or 0 where the file leaves it out. */
function fieldAt(file, table, field) {
  const vtable = table - file.readInt32LE(table);
  const at = 4 + 2 * field;
  const offset = at < file.readUInt16LE(vtable) ? file.readUInt16LE(vtable + at) : 0;
  return offset === 0 ? 0 : table + offset;
}

const follow = (file, at) => at + file.readUInt32LE(at);

/** Positions of the elements of a vector of tables. */
function tables(file, at) {
  if (at === 0) return [];
  const vector = follow(file, at);
  return Array.from({ length: file.readUInt32LE(vector) }, (_, i) =>
    follow(file, vector + 4 + 4 * i),
  );
}

function integers(file, at) {
  if (at === 0) return [];
  const vector = follow(file, at);
  return Array.from({ length: file.readUInt32LE(vector) }, (_, i) =>
    file.readInt32LE(vector + 4 + 4 * i),
  );
}

function text(file, at) {
  if (at === 0) return '';
  const start = follow(file, at);
  return file.toString('utf8', start + 4, start + 4 + file.readUInt32LE(start));
}

/**
 * The file with every tensor that an operator writes as an output, in the operators' order.
 *
 * @returns its bytes and the names of these tensors
 */
function withAllOutputs(bytes) {
  const original = Buffer.from(bytes);
  const model = follow(original, 0);
  const [graph] = tables(original, fieldAt(original, model, 2));
  const tensors = tables(original, fieldAt(original, graph, 0));
  const operators = tables(original, fieldAt(original, graph, 3));
  const written = operators.flatMap((operator) =>
    integers(original, fieldAt(original, operator, 2)),
  );
  const start = Math.ceil(original.length / 4) * 4;
  const vector = Buffer.alloc(start - original.length + 4 * (written.length + 2));
  vector.writeUInt32LE(written.length, start - original.length);
  written.forEach((index, i) => vector.writeInt32LE(index, start - original.length + 4 * (i + 1)));
  const file = Buffer.concat([original, vector]);
  const outputs = fieldAt(file, graph, 2);
  file.writeUInt32LE(start - outputs, outputs);
  // Signatures name the outputs that were; the vector's last word serves as an empty list of them.
  const signatures = fieldAt(file, model, 7);
  if (signatures !== 0) file.writeUInt32LE(file.length - 4 - signatures, signatures);
  const names = written.map((index) => text(original, fieldAt(original, tensors[index], 3)));
  return { bytes: file, names };
}

module.exports = { withAllOutputs };

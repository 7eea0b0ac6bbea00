// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "Bytes", from a program to a file.
import { crc32 } from 'node:zlib';
import { codeTypes } from '../numeric/code-types.js';
import { fixedRules } from '../numeric/requant.js';
import { divideRules, floatRules, nearestRules, tableRules, roundRules } from '../numeric/round.js';
import { ByteWriter } from './bytes.js';
import {
  addKinds,
  averageKinds,
  f32AddForms,
  headerBytes,
  inputForms,
  magic,
  moments,
  opcodes,
  overflows,
  productKinds,
  requantKinds,
  resizeKinds,
  softmaxKinds,
  stageKinds,
  weightTypes,
} from './format.js';
import {
  programVersion,
  type Accumulator,
  type AddForm,
  type AverageForm,
  type CodeClamp,
  type Op,
  type Program,
  type Requant,
  type ResizeOp,
  type SoftmaxForm,
  type Stage,
} from './program.js';

/** The program's bytes; equal programs give equal bytes. */
export function encode(program: Program): Uint8Array {
  const body = new ByteWriter();
  writeFacts(body, program);
  writeTensors(body, program);
  const { form, rule } = program.inputQuantization;
  body.u32(program.input, number(inputForms, form), number(nearestRules, rule));
  body.array(Uint32Array.from(program.outputs));
  body.u32(program.ops.length);
  for (const op of program.ops) writeOp(body, op);
  const content = body.finish();

  const file = new ByteWriter();
  file.bytes(Buffer.from(magic, 'latin1'));
  file.u32(programVersion, headerBytes + content.length, crc32(content));
  file.bytes(content);
  return Uint8Array.from(file.finish());
}

/** The number of a word in its enumeration. */
function number<T extends string>(words: readonly T[], word: T): number {
  return words.indexOf(word);
}

function writeFacts(writer: ByteWriter, { target, metadata }: Program): void {
  writer.str(target);
  const keys = Object.keys(metadata).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  writer.u32(keys.length);
  for (const key of keys) {
    writer.str(key);
    writer.str(metadata[key]!);
  }
}

function writeTensors(writer: ByteWriter, { tensors }: Program): void {
  writer.u32(tensors.length);
  for (const tensor of tensors) {
    writer.str(tensor.name);
    writer.u32(number(codeTypes, tensor.dtype), tensor.height, tensor.width, tensor.channels);
    writer.i32(tensor.zeroPoint);
    writer.f32(tensor.scale);
  }
}

function writeOp(writer: ByteWriter, op: Op): void {
  const body = new ByteWriter();
  writeBody(body, op);
  writer.u32(number(opcodes, op.op), body.length);
  writer.str(op.name);
  writer.array(Uint32Array.from(op.inputs));
  writer.u32(op.output);
  writer.bytes(body.finish());
}

function writeBody(writer: ByteWriter, op: Op): void {
  switch (op.op) {
    case 'conv':
      writer.u32(...op.kernel, ...op.strides, ...op.dilations, ...op.pads, op.groups);
      writer.u32(number(weightTypes, op.weightType));
      writer.array(op.weights);
      writer.array(op.weightZeroPoints);
      writer.array(op.bias);
      writeAccumulator(writer, op.accumulator);
      writeRequant(writer, op.requant);
      writeClamp(writer, op.clamp);
      break;
    case 'add':
      writeAddForm(writer, op.form);
      writeClamp(writer, op.clamp);
      break;
    case 'mul':
      writeRequant(writer, op.requant);
      writeClamp(writer, op.clamp);
      break;
    case 'averagePool':
      writer.u32(...op.kernel, ...op.strides, ...op.pads);
      writeAverageForm(writer, op.form);
      writeClamp(writer, op.clamp);
      break;
    case 'maxPool':
      writer.u32(...op.kernel, ...op.strides, ...op.pads);
      writeClamp(writer, op.clamp);
      break;
    case 'pad':
      writer.u32(...op.pads);
      break;
    case 'lut':
      writer.array(op.table);
      break;
    case 'softmax':
      writeSoftmaxForm(writer, op.form);
      break;
    case 'splice':
      writer.u32(op.period, op.from);
      break;
    case 'resize':
      writeResize(writer, op);
      break;
    case 'concat':
    case 'reshape':
      break;
  }
}

function writeResize(writer: ByteWriter, { form, rows, columns }: ResizeOp): void {
  writer.u32(number(resizeKinds, form.kind));
  if (form.kind === 'integer') writer.u32(form.bits, number(roundRules, form.rule));
  if (form.kind === 'f32Reals') writer.f32(form.scaleIn, form.scaleOut);
  for (const [axis, weights] of [
    [rows, form.rows],
    [columns, form.columns],
  ] as const) {
    writer.array(axis.first);
    writer.array(axis.second);
    if (weights instanceof Int32Array) writer.array(weights);
    else for (const array of [weights.first, weights.second]) writer.array(array);
  }
}

function writeAccumulator(writer: ByteWriter, accumulator: Accumulator): void {
  writer.u32(
    accumulator.bits,
    number(overflows, accumulator.overflow),
    number(moments, accumulator.when),
    number(productKinds, accumulator.products),
    accumulator.biasFirst ? 1 : 0,
  );
}

function writeRequant(writer: ByteWriter, requant: Requant): void {
  writer.u32(number(requantKinds, requant.kind));
  switch (requant.kind) {
    case 'none':
      break;
    case 'fixed':
      writer.u32(number(fixedRules, requant.rule));
      writer.array(requant.multiplier);
      writer.array(requant.shift);
      break;
    case 'f32':
      writer.array(requant.scale);
      break;
    case 'shift':
      writer.u32(number(roundRules, requant.rule));
      writer.array(requant.shift);
      break;
    case 'stages':
      writer.u32(requant.stages.length);
      for (const stage of requant.stages) writeStage(writer, stage);
      break;
    case 'f32Rule':
      writer.u32(number(floatRules, requant.rule));
      writer.array(requant.scale);
      break;
    case 'f64':
      writer.array(requant.scale);
      break;
  }
}

function writeStage(writer: ByteWriter, stage: Stage): void {
  writer.u32(number(stageKinds, stage.kind));
  switch (stage.kind) {
    case 'add':
      writer.array(stage.value);
      break;
    case 'multiply':
      writer.array(stage.factor);
      break;
    case 'shift':
      writer.u32(number(roundRules, stage.rule));
      writer.array(stage.shift);
      break;
    case 'saturate':
      writer.u32(stage.bits);
      break;
    case 'clamp':
      writer.array(stage.lo);
      writer.array(stage.hi);
      break;
    case 'segments':
      writer.u32(number(roundRules, stage.rule));
      writer.array(stage.start);
      writer.array(stage.multiplier);
      writer.array(stage.shift);
      writer.array(stage.offset);
      break;
    case 'thresholds':
      writer.u32(stage.strict ? 1 : 0, stage.count);
      writer.array(stage.values);
      break;
  }
}

function writeClamp(writer: ByteWriter, { lo, hi }: CodeClamp): void {
  writer.array(lo);
  writer.array(hi);
}

function writeAddForm(writer: ByteWriter, form: AddForm): void {
  writer.u32(number(addKinds, form.kind));
  switch (form.kind) {
    case 'rescaled':
      writer.u32(form.leftShift);
      writer.i32(form.multiplierA);
      writer.u32(form.shiftA);
      writer.i32(form.multiplierB);
      writer.u32(form.shiftB);
      writer.i32(form.multiplierOut);
      writer.u32(form.shiftOut, number(fixedRules, form.rule));
      break;
    case 'aligned':
      writer.i32(form.multiplierA, form.multiplierB);
      writer.u32(form.shift, number(roundRules, form.rule));
      break;
    case 'f32':
      writer.u32(number(f32AddForms, form.form));
      writer.f32(form.scaleA, form.scaleB, form.scaleOut);
      break;
    case 'requant':
      writer.i32(form.multiplierA, form.multiplierB);
      writeRequant(writer, form.requant);
      break;
    case 'tables':
      writer.array(form.tableA);
      writer.array(form.tableB);
      writeRequant(writer, form.requant);
      break;
  }
}

function writeAverageForm(writer: ByteWriter, form: AverageForm): void {
  writer.u32(number(averageKinds, form.kind));
  switch (form.kind) {
    case 'divide':
      writer.u32(number(divideRules, form.rule));
      break;
    case 'requant':
      writeRequant(writer, form.requant);
      break;
    case 'f32Window':
      writer.f32(form.scaleIn, form.scaleOut);
      break;
  }
}

function writeSoftmaxForm(writer: ByteWriter, form: SoftmaxForm): void {
  writer.u32(number(softmaxKinds, form.kind));
  switch (form.kind) {
    case 'gemmlowp':
      writer.i32(form.multiplier);
      writer.u32(form.leftShift);
      writer.i32(form.diffMin);
      break;
    case 'f32Table':
      writer.array(form.table);
      writer.f32(form.outputScale);
      writer.u32(number(tableRules, form.rule));
      break;
    case 'wideTable':
      writer.array(form.exp);
      writer.array(form.reciprocal);
      break;
  }
}

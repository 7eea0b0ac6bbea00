// SPDX-License-Identifier: Apache-2.0
// The documents for people. Nothing is computed here; figures are only formatted.
import type { LayerChoice, SchemeChoice } from '../quantize/mixed/choose-schemes.js';
import type {
  CompareDocument,
  ConvertDocument,
  DemoDocument,
  EvaluateDocument,
  ImageResult,
  InspectDocument,
  PreprocessFacts,
  QuantizeDocument,
  RunDocument,
  TargetFacts,
  TargetInitDocument,
  TargetsDocument,
  TrapFacts,
  ValueFacts,
} from './documents.js';
import type { ExpectResult } from '../evaluate/index.js';
import type { Column } from './text-table.js';
import { factList, rarePercent, shortName, textTable } from './text-table.js';

export function inspectText(document: InspectDocument): string {
  const { quantization, opset } = document;
  const facts = factList([
    ['model', document.model],
    ['format', opset === null ? document.format : `${document.format}, opset ${opset}`],
    ['quantization', describeState(quantization)],
    ...document.inputs.map((value) => ['input', describeValue(value)] as const),
    ...document.outputs.map((value) => ['output', describeValue(value)] as const),
    ['layers', String(document.layers)],
    ['macs', `${(document.macs / 1e6).toFixed(1)} M`],
    ['params', `${(document.params / 1e6).toFixed(3)} M`],
    ['preprocess', document.preprocess ?? 'not stated in the file'],
    ['operators', countList(document.ops)],
    ...document.notes.map((note) => ['note', note] as const),
    ...acceptedFacts(document),
  ]);
  if (document.unsupported.length === 0) return facts;
  const table = textTable(document.unsupported, [
    { title: 'unsupported node', value: ({ name }) => name },
    { title: 'operator', value: ({ op }) => op },
    { title: 'reason', value: ({ reason }) => reason },
  ]);
  return `${facts}\n${table}`;
}

function acceptedFacts({ accepted }: InspectDocument): readonly (readonly [string, string])[] {
  if (accepted === undefined) return [];
  const { target, reason } = accepted;
  return [[target, reason === undefined ? 'takes it' : `refuses it: ${reason}`]];
}

export function quantizeText(document: QuantizeDocument): string {
  const facts = factList([
    ['output', `${document.output} (${document.form})`],
    ['target', document.target],
    ['recipe', document.method],
    ['layers', String(document.layers)],
    ['images', String(document.images)],
    ['time', `${document.seconds.toFixed(1)} s, peak memory ${document.peakRssMiB.toFixed(0)} MiB`],
  ]);
  const steps = textTable(document.steps, [
    { title: 'step', value: ({ name }) => name },
    { title: 'what it changed', value: ({ changed }) => changed },
  ]);
  return `${facts}\n${steps}${document.choice === undefined ? '' : `\n${choiceText(document.choice)}`}`;
}

function choiceText({ layers, activationBits }: SchemeChoice): string {
  const activations: Column<LayerChoice>[] = [
    { title: 'activations', value: (layer) => String(layer.activationBits) },
    { title: '8 alone, dB', value: ({ activationSqnrDb }) => activationSqnrDb?.toFixed(1) ?? '' },
  ];
  return textTable(layers, [
    { title: 'layer', value: ({ name }) => shortName(name) },
    { title: 'bits', value: ({ bits }) => String(bits) },
    { title: 'scales', value: ({ perChannel }) => (perChannel ? 'per channel' : 'per tensor') },
    { title: 'bytes', value: ({ bytes }) => String(bytes) },
    { title: 'alone, dB', value: ({ sqnrDb }) => sqnrDb?.toFixed(1) ?? '' },
    ...(activationBits.length > 1 ? activations : []),
  ]);
}

/** Only what is proven or read in its source is said to be the target; the rest emulates it. */
function knownAs({ target, evidence }: Pick<RunDocument, 'target' | 'evidence'>): string {
  return evidence === 'unverified' ? `${target} (emulated: the profile is unverified)` : target;
}

export function runText(document: RunDocument): string {
  const results = document.images ?? [document];
  const target = `target  ${knownAs(document)}\n`;
  const written = document.out === undefined ? '' : `\nwritten to ${document.out}\n`;
  return target + results.map(imageText).join('') + written;
}

export function compareText(document: CompareDocument): string {
  const facts = factList([
    ['target', knownAs(document)],
    ['images', String(document.images)],
    ['top-1 agreement', percent(document.top1Agreement)],
    ...document.notes.map((note) => ['note', note] as const),
    ['trap', document.trap && `${describeTrap(document.trap)} (${document.trap.input})`],
  ]);
  return `${facts}\n${layerTable(document.layers)}`;
}

export function evaluateText(document: EvaluateDocument): string {
  const { float, paired, imagesPerSecond: speed } = document;
  return factList([
    ['model', document.model],
    ['target', knownAs(document)],
    [
      'images',
      `${document.n}${document.subset ? ', a subset' : ''}${resumed(document.resumedFrom)}`,
    ],
    ['top-1', `${percent(document.top1)}  95 % interval ${interval(document.top1Ci95)}`],
    ['top-5', percent(document.top5)],
    [
      'ties at the top',
      `${percent(document.tiesAtTopPercent)} of the images (the lower index wins; top-1 would be ${percent(document.top1IfTiesCount)} if ties counted)`,
    ],
    ['float', float && `top-1 ${percent(float.top1)}, top-5 ${percent(float.top5)}`],
    [
      'difference',
      paired &&
        `${signed(paired.delta)} points  95 % interval ${interval(paired.ci95)}  (${paired.better} better, ${paired.worse} worse, ${pValue(paired.pValue)})`,
    ],
    [
      'detectable',
      document.detectableDrop === undefined
        ? undefined
        : `these images could tell a loss of ${document.detectableDrop.toFixed(2)} points from none`,
    ],
    ['agreement', agreement(document)],
    ...(document.expect?.checks ?? []).map(
      (check) => [`expect ${check.figure}`, expectText(check)] as const,
    ),
    ['label offset', String(document.labelOffset)],
    [
      'speed',
      speed === null ? undefined : `${speed.toFixed(1)} images/s, ${document.threads} threads`,
    ],
  ]);
}

function expectText({ ok, figure, value, bound, how }: ExpectResult['checks'][number]): string {
  const unit = figure === 'drop' ? 'points' : '%';
  const side = figure === 'drop' ? 'at most' : 'at least';
  return `${ok ? 'passed' : 'MISSED'}: ${value.toFixed(2)} ${unit}, ${side} ${bound} (${how})`;
}

/** As papers print it. */
function pValue(value: number): string {
  return value < 0.001 ? 'p < 0.001' : `p = ${Number(value.toPrecision(2))}`;
}

function agreement({ top1Agreement, scoreSqnrDb }: EvaluateDocument): string | undefined {
  if (top1Agreement === undefined) return undefined;
  const same = `the float network's class on ${percent(top1Agreement)} of the images`;
  if (scoreSqnrDb === undefined) return same;
  return `${same}; scores ${scoreSqnrDb === null ? 'equal' : `within ${scoreSqnrDb.toFixed(1)} dB`}`;
}

export function targetsText({ targets, arithmetics }: TargetsDocument): string {
  if (targets.length === 1) return targetText(targets[0]!);
  const table = textTable(targets, [
    { title: 'target', value: ({ id }) => id },
    { title: 'also', value: ({ aliases }) => aliases.join(' ') },
    { title: 'evidence', value: ({ evidence }) => evidence },
    { title: 'what it is', value: ({ summary }) => summary },
  ]);
  return `${table}\n${targets.length} targets, ${arithmetics} distinct arithmetics\n`;
}

export function convertText(document: ConvertDocument): string {
  return factList([
    ['output', `${document.output} (${document.form}, ${document.bytes} bytes)`],
    ['target', document.target ?? 'none: choose one when it runs'],
    ['layers', String(document.layers)],
  ]);
}

export function demoText({ nets, images, leftOut, seconds }: DemoDocument): string {
  const parts = nets.map((net) => {
    const table = textTable(net.variants, [
      { title: `  ${net.model}`, value: ({ name }) => `  ${name}` },
      { title: 'top-1', value: ({ top1 }) => percent(top1), align: 'right' },
      {
        title: 'against float',
        value: ({ delta }) => (delta === null ? '' : `${signed(delta)} points`),
        align: 'right',
      },
      {
        title: 'ties',
        value: (variant) =>
          variant.tiesAtTopPercent === null ? '' : percent(variant.tiesAtTopPercent),
        align: 'right',
      },
    ]);
    const speed = `  ${knownAs(net)}, ${net.imagesPerSecond.toFixed(0)} images/s\n`;
    const worst = `  worst layers, naive:\n${indent(layerTable(net.worst))}\n`;
    return `${table}${speed}\n${net.worst.length === 0 ? '' : worst}`;
  });
  const exactly = nets.every(({ evidence }) => evidence !== 'unverified') ? ' exact' : '';
  return `${images} test images, each run in${exactly} integers\n\n${parts.join('')}${leftOut === null ? '' : `${leftOut}\n`}total time ${seconds.toFixed(1)} s\n`;
}

/** Which preprocessing was used, one line each; for standard error. */
export function preprocessText(facts: PreprocessFacts): string {
  const preset =
    facts.preprocess === null
      ? ''
      : `preprocess  ${facts.preprocess} (${facts.preprocessDecidedBy ?? ''}), geometry ${facts.geometry ?? ''}\n`;
  const applied = Object.entries(facts.geometryApplied).map(
    ([how, count]) => `input       ${how} (${count} image${count === 1 ? '' : 's'})\n`,
  );
  return preset + contradiction(facts) + applied.join('');
}

function contradiction({ preprocess, preprocessContradicts }: PreprocessFacts): string {
  if (preprocess === null || preprocessContradicts === undefined) return '';
  return `warning     --preprocess ${preprocess}, but the file remembers ${preprocessContradicts}, which its scores were made for; leave the flag out\n`;
}

function targetText(target: TargetFacts): string {
  const { constraints } = target;
  return (
    factList([
      ['target', target.id],
      ['also', target.aliases.join(' ') || undefined],
      ['what it is', target.summary],
      ['source', target.source],
      ['evidence', target.evidence],
      ['proven by', target.provenBy.join('; ') || undefined],
      ...inheritedFacts(target),
    ]) +
    '\nconstraints\n' +
    indent(factList(Object.entries(constraints).map(([key, value]) => [key, String(value)]))) +
    '\narithmetic\n' +
    indent(
      factList(
        Object.entries(target.arithmetic as object).map(([key, value]) => [
          key,
          typeof value === 'string' ? value : JSON.stringify(value),
        ]),
      ),
    )
  );
}

function inheritedFacts({ inherited }: TargetFacts): readonly (readonly [string, string])[] {
  if (inherited === undefined) return [];
  const { from, keys, otherRounding } = inherited;
  const taken = [[`from ${from}`, keys.join(', ')] as const];
  const parts = otherRounding.map(({ step, rules }) => `${step} ${rules.join(' and ')}`);
  if (parts.length === 0) return taken;
  const note = `rounding there is still that of ${from}: ${parts.join(', ')}; give these keys, too, if your chip rounds alike everywhere`;
  return [...taken, ['note', note]];
}

export function targetInitText({ output, schema, target, from }: TargetInitDocument): string {
  return `${output}: target ${target}, begun as a copy of ${from}; ${schema} lets an editor complete it
next: lastbit targets ${output}, then --target ${output} wherever a target is named
`;
}

type ComparedLayer = CompareDocument['layers'][number];

const changedSums = ({ accumulatorChangedPercent }: ComparedLayer) => accumulatorChangedPercent;

/** Where an accumulator is narrow: what it does, apart from clamps of the output. */
const sumsChanged: Column<ComparedLayer> = {
  title: 'sums changed',
  value: (layer) => rarePercent(changedSums(layer)),
  align: 'right',
};

function layerTable(layers: readonly ComparedLayer[]): string {
  const columns: Column<ComparedLayer>[] = [
    { title: 'layer', value: ({ name }) => shortName(name) },
    { title: 'kind', value: ({ kind }) => kind },
    { title: 'SQNR dB', value: ({ sqnrDb }) => decibels(sqnrDb), align: 'right' },
    { title: 'alone', value: (layer) => decibels(layer.sqnrIsolatedDb), align: 'right' },
    { title: 'cosine', value: ({ cosine }) => cosine.toFixed(5), align: 'right' },
    {
      title: 'max error',
      value: ({ maxAbsError }) => maxAbsError.toPrecision(3),
      align: 'right',
    },
    { title: 'saturated', value: (layer) => percent(layer.saturatedPercent), align: 'right' },
    ...(layers.some((layer) => changedSums(layer) !== undefined) ? [sumsChanged] : []),
  ];
  return textTable(layers, columns);
}

function imageText({ input, outputs, top, latencyMs, trap }: ImageResult): string {
  const facts = factList([
    ['input', input],
    ['trap', trap && describeTrap(trap)],
    ...outputs.map(
      (tensor) =>
        [
          'output',
          `${tensor.name} ${tensor.dtype} [${tensor.shape.join(', ')}] sha256 ${tensor.sha256}`,
        ] as const,
    ),
    ['latency', `${latencyMs.toFixed(2)} ms`],
  ]);
  const table = textTable(top, [
    { title: '  class', value: ({ index }) => `  ${index}`, align: 'right' },
    { title: 'score', value: ({ score }) => score.toPrecision(5), align: 'right' },
    { title: 'name', value: ({ label }) => label ?? '' },
  ]);
  return `\n${facts}${top.length === 0 ? '' : table}`;
}

function describeTrap({ layer, element, value, position, operands }: TrapFacts): string {
  const where = position
    ? `y ${position[0]}, x ${position[1]}, channel ${position[2]} (element ${element})`
    : `element ${element}`;
  const how = operands === undefined ? '' : ` = ${operands}`;
  return `accumulator overflow in "${layer}", output ${where}: ${value}${how}`;
}

function describeState({ state, target, perChannel }: InspectDocument['quantization']): string {
  const weights =
    perChannel === undefined ? '' : `, weights per ${perChannel ? 'channel' : 'tensor'}`;
  return `${state}${weights}${target === undefined ? '' : `, target ${target}`}`;
}

function describeValue({ name, dtype, shape, scale, zeroPoint }: ValueFacts): string {
  const quantized = scale === undefined ? '' : `, scale ${scale}, zero point ${zeroPoint ?? 0}`;
  return `${name}: ${dtype} [${shape.join(', ')}]${quantized}`;
}

function countList(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function resumed(from: number): string {
  return from === 0 ? '' : ` (${from} of them from an earlier run)`;
}

function percent(value: number): string {
  return `${value.toFixed(2)} %`;
}

function signed(points: number): string {
  return `${points > 0 ? '+' : ''}${points.toFixed(2)}`;
}

function interval([low, high]: readonly [number, number]): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`;
}

function decibels(value: number | undefined): string {
  if (value === undefined) return '-';
  return value === Infinity ? 'exact' : value.toFixed(2);
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

// SPDX-License-Identifier: Apache-2.0
// The results of the commands, as scripts read them: JSON with these fields. Fields may be added,
// never renamed. Shares are percent (0 to 100), a delta is in points of percent.
import type {
  CauseStep,
  Distributions,
  Finding,
  LayerComparison,
  LayerDifference,
  NetworkLayer,
  NetworkSize,
  DumpMatch,
} from '../analyze/index.js';
import type { ModelFiles } from '../data/index.js';
import type { Accuracy, ExpectResult } from '../evaluate/index.js';
import type { Claim, ExperimentTable } from '../experiment/index.js';
import type { Certificate, LayerProof } from '../prove/index.js';
import type { SchemeChoice } from '../quantize/mixed/choose-schemes.js';
import type { AcceptedTolerance, EvidenceRow } from '../targets/evidence-row.js';
import type { Inherited, TargetConstraints } from '../targets/target.js';

/** Version of the documents' fields. */
export const schemaVersion = 1;

/** Of a result about models: which files these were. */
export interface AboutModels {
  readonly models: ModelFiles;
}

/** An input or output of a network, as its file declares it. */
export interface ValueFacts {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly scale?: number;
  readonly zeroPoint?: number;
}

/** What kind of network a file holds: float, or integers in one of the forms that carry them. */
export type QuantizationState = 'float' | 'qdq' | 'qop' | 'integer' | 'tflite' | 'lbp';

/** A node that lastbit has no operator for, and why. */
export interface UnsupportedEntry {
  readonly name: string;
  readonly op: string;
  readonly reason: string;
}

/** What `inspect` found in a model file. */
export interface InspectDocument extends NetworkSize {
  readonly model: string;
  readonly format: 'onnx' | 'tflite' | 'lbp';
  /** Of ONNX's standard operators. */
  readonly opset: number | null;
  readonly inputs: readonly ValueFacts[];
  readonly outputs: readonly ValueFacts[];
  /** How many of each operator. */
  readonly ops: Readonly<Record<string, number>>;
  readonly quantization: {
    readonly state: QuantizationState;
    /** Bound to it (.lbp), quantized for it, or the one that runs by default. */
    readonly target?: string;
    readonly perChannel?: boolean;
  };
  readonly preprocess: string | null;
  /** What the importer left out of the file. */
  readonly notes: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly unsupported: readonly UnsupportedEntry[];
  /** Whether the target that was asked about takes the model. */
  readonly accepted?: { readonly target: string; readonly ok: boolean; readonly reason?: string };
}

/** How images became inputs. */
export interface PreprocessFacts {
  /** The preset; null where no pixels were involved. */
  readonly preprocess: string | null;
  readonly preprocessDecidedBy: string | null;
  /** The preset that the file remembers, where `--preprocess` named another. */
  readonly preprocessContradicts?: string;
  readonly geometry: string | null;
  /** In words, with the number of images. */
  readonly geometryApplied: Readonly<Record<string, number>>;
}

export interface AnalyzeDocument extends AboutModels, PreprocessFacts, Distributions {
  readonly model: string;
  readonly images: number;
  /** What the activations were seen by; `weights`: not at all. */
  readonly seenBy: 'images' | 'data-free' | 'weights';
  /** What stands out, the gravest kind first. */
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** One step of a recipe: what it changed. */
export interface StepFacts {
  readonly name: string;
  readonly changed: string;
  /** Figures by layer, where the step has some: for `weights` by powers of two their exponents. */
  readonly layers?: readonly ({ readonly layer: string } & Readonly<
    Record<string, string | number | readonly number[]>
  >)[];
}

export interface QuantizeDocument extends AboutModels, PreprocessFacts {
  readonly output: string;
  readonly form: 'qdq' | 'qop' | 'tflite';
  readonly target: string;
  /** The recipe's name. */
  readonly method: string;
  /** Convolutions and fully connected layers. */
  readonly layers: number;
  readonly images: number;
  readonly steps: readonly StepFacts[];
  /** With --auto: weight scheme and activation width of each layer, and the trade. */
  readonly choice?: SchemeChoice;
  readonly warnings: readonly string[];
  readonly seconds: number;
  readonly peakRssMiB: number;
}

/** One of the highest scores of a run. */
export interface TopEntry {
  /** Raw index of the network's output. */
  readonly index: number;
  /** From --names; null without. */
  readonly label: string | null;
  /** Real value of the code. */
  readonly score: number;
}

/** A tensor that a run gave out, with the SHA-256 of its bytes (little endian, dense). */
export interface TensorFacts {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Of the codes' bytes, NHWC, little-endian. */
  readonly sha256: string;
}

/** Where a target's trapping accumulator overflowed first. */
export interface TrapFacts {
  readonly layer: string;
  readonly element: number;
  /** In decimal, for it may exceed a JSON number. */
  readonly value: string;
  /** Row, column and channel of the output element. */
  readonly position?: readonly [number, number, number];
  /** What was added to what, in words. */
  readonly operands?: string;
}

/** What one image gave. */
export interface ImageResult {
  readonly input: string;
  readonly outputs: readonly TensorFacts[];
  readonly top: readonly TopEntry[];
  readonly latencyMs: number;
  readonly trap?: TrapFacts;
}

export interface RunDocument extends PreprocessFacts, ImageResult {
  readonly target: string;
  /** How well the target's profile is known. */
  readonly evidence: 'verified' | 'source' | 'unverified';
  /** What the importer left out of the file. */
  readonly notes: readonly string[];
  /** Every image, where there are several; the fields above are the first one's. */
  readonly images?: readonly ImageResult[];
  readonly taps?: readonly TensorFacts[];
  readonly out?: string;
}

export interface CompareDocument extends AboutModels, PreprocessFacts {
  readonly target: string;
  /** How well the target's profile is known. */
  readonly evidence: 'verified' | 'source' | 'unverified';
  /**
   * In program order. `accumulatorChangedPercent`: share of a convolution's sums that the accumulator changed
   * (saturated, wrapped), apart from clamps of its output; absent where no layer's accumulator can.
   */
  readonly layers: readonly (LayerComparison & { readonly accumulatorChangedPercent?: number })[];
  /** Every operation, with what feeds it. */
  readonly network: readonly NetworkLayer[];
  /** The network's output. */
  readonly output: LayerComparison | null;
  /** Images on which float and integers choose the same class, percent. */
  readonly top1Agreement: number;
  readonly images: number;
  /** Why layers are missing, where they are, and what the importer left out. */
  readonly notes: readonly string[];
  readonly trap?: TrapFacts & { readonly input: string };
}

/** Where two targets first part. */
export interface FirstDifference {
  /** The target that parts from the first one of the list. */
  readonly target: string;
  readonly layer: string;
  readonly op: string;
  readonly elements: number;
  readonly differing: number;
  readonly maxLsb: number;
  readonly cause: string;
  /** Whether one ingredient of the arithmetic, exchanged alone, makes all of the difference. */
  readonly alone: boolean;
  /** The exchanges on the way from one arithmetic to the other, and how many codes each changed. */
  readonly steps: readonly CauseStep[];
  readonly trap?: TrapFacts;
}

export interface DiffDocument extends AboutModels, PreprocessFacts {
  readonly model: string;
  /** Full ids; all others are compared with the first. */
  readonly targets: readonly string[];
  /** How well each profile is known. */
  readonly evidence: Readonly<Record<string, 'verified' | 'source' | 'unverified'>>;
  /** Targets that cannot represent the model. */
  readonly refused: readonly { readonly target: string; readonly reason: string }[];
  readonly images: number;
  /** The earliest over all targets. */
  readonly first: FirstDifference | null;
  /** For each target but the first. */
  readonly firsts: readonly { readonly target: string; readonly first: FirstDifference | null }[];
  /** In program order, the input before them. */
  readonly layers: readonly DiffLayer[];
  /** Every operation under the first target, with what feeds it. */
  readonly network: readonly NetworkLayer[];
  readonly seconds: number;
  readonly notes: readonly string[];
}

/** A layer under several targets: how many codes differ from the first target, and by how much. */
export interface DiffLayer extends Pick<LayerDifference, 'name' | 'op'> {
  readonly others: readonly DiffEntry[];
}

/** One target beside the first one in a layer. */
export type DiffEntry = Omit<LayerDifference['others'][number], 'trap'> & {
  readonly trap?: TrapFacts;
};

/** What would explain a dump that differs from a convolution of the target. */
export interface DumpExplanation {
  /** The sum of products and bias at the first code that differs. */
  readonly accumulator: number;
  /** What it is multiplied by there; absent where the target only shifts. */
  readonly multiplier?: number;
  readonly shift?: number;
  /** In words, how the target makes a code of it. */
  readonly requantization: string;
  /**
   * Usual mistakes of a design, by how many codes of the dump each leaves unexplained, fewest first: only such
   * that explain nine tenths of the difference.
   */
  readonly faults: readonly { readonly name: string; readonly unexplained: number }[];
}

/** A layer of which there is a dump. */
export interface DumpLayer extends DumpMatch {
  readonly name: string;
  readonly op: string;
  readonly file: string;
  /** Of the numbers in the file. */
  readonly dtype: string;
}

export interface CompareDumpDocument extends AboutModels, PreprocessFacts {
  readonly model: string;
  readonly target: string;
  readonly evidence: 'verified' | 'source' | 'unverified';
  readonly input: string;
  /** The first layer that differs. */
  readonly first: (DumpLayer & { readonly explanation?: DumpExplanation }) | null;
  /** In program order. */
  readonly layers: readonly DumpLayer[];
  /** Files that belong to no layer. */
  readonly unmatched: readonly string[];
  /** Tensors without a file. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
  readonly trap?: TrapFacts;
}

export interface EvaluateDocument extends AboutModels, PreprocessFacts, Accuracy {
  readonly model: string;
  readonly target: string;
  /** How well the target's profile is known. */
  readonly evidence: 'verified' | 'source' | 'unverified';
  readonly labelOffset: number;
  /** Fewer than 10,000 images: the accuracy is that of a subset, not of a validation set. */
  readonly subset: boolean;
  /** Points of loss that these images could tell from none; with a float model. */
  readonly detectableDrop?: number;
  /** With `--expect`: what had to hold, and what was measured. */
  readonly expect?: ExpectResult;
  readonly threads: number;
  /** Of this run; images of a resumed one are not counted. */
  readonly imagesPerSecond: number | null;
  readonly resumedFrom: number;
  /** What the importer left out of the file. */
  readonly notes: readonly string[];
}

/** What the sums of a convolution were on real images. */
export interface ReachedSums {
  /** Smallest and largest exact sum. */
  readonly min: number;
  readonly max: number;
  /** Width of two's complement that holds both. */
  readonly bits: number;
  /** Share of the sums that the accumulator changed: saturated, wrapped, or would have trapped at. */
  readonly changedPercent: number;
}

export interface ProveDocument extends AboutModels, Omit<Certificate, 'layers'> {
  /** `reached`: on the images, where some were given. */
  readonly layers: readonly (LayerProof & { readonly reached?: ReachedSums })[];
  /** The images that were run; absent where none were given. */
  readonly measured?: PreprocessFacts & { readonly images: number };
  readonly model: string;
  readonly target: string;
  /** How well the target's profile is known. */
  readonly evidence: 'verified' | 'source' | 'unverified';
  /** What the importer left out of the file. */
  readonly notes: readonly string[];
  /** Every operation, with what feeds it. */
  readonly network: readonly NetworkLayer[];
  readonly seconds: number;
}

/** A target as `targets` lists it: names, evidence, constraints, arithmetic. */
export interface TargetFacts {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly source: string;
  readonly evidence: 'verified' | 'source' | 'unverified';
  readonly provenBy: readonly string[];
  /** Of a user's own target that extends another. */
  readonly inherited?: Inherited | undefined;
  readonly constraints: TargetConstraints;
  readonly arithmetic: unknown;
}

/** A file that a target of one's own begins with. */
export interface TargetInitDocument {
  readonly output: string;
  /** JSON Schema beside it. */
  readonly schema: string;
  readonly target: string;
  /** The profile that was copied. */
  readonly from: string;
}

/** What `targets` lists. */
export interface TargetsDocument {
  readonly targets: readonly TargetFacts[];
  /** Distinct arithmetics, aliases apart. */
  readonly arithmetics: number;
}

/** What `convert` wrote. */
export interface ConvertDocument {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly form: 'qdq' | 'qop' | 'integer' | 'tflite' | 'lbp';
  readonly target: string | null;
  readonly layers: number;
  readonly bytes: number;
  /** What the importer left out or changed, and what the target leaves out. */
  readonly notes: readonly string[];
}

/** One way to run a network of the demo, and its accuracy in percent. */
export interface DemoVariant {
  readonly name: string;
  readonly top1: number;
  /** Against float, in points; null for float itself, and where float did not run. */
  readonly delta: number | null;
  /** null for float, whose scores do not tie. */
  readonly tiesAtTopPercent: number | null;
}

/** One embedded network in all its variants. */
export interface DemoNet {
  readonly model: string;
  readonly images: number;
  readonly target: string;
  /** How well the target's profile is known. */
  readonly evidence: 'verified' | 'source' | 'unverified';
  readonly variants: readonly DemoVariant[];
  /** Of the naive one, worst first; none where float did not run. */
  readonly worst: readonly LayerComparison[];
  readonly imagesPerSecond: number;
}

/** What `demo` measured. */
export interface DemoDocument {
  readonly images: number;
  /** Without onnxruntime-node: how to get what the demo then has to leave out. */
  readonly leftOut: string | null;
  readonly nets: readonly DemoNet[];
  readonly seconds: number;
}

/** One thing that lastbit stands on. */
export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Without it nothing runs; other checks only say what cannot be done. */
  readonly required: boolean;
  readonly found: string;
  /** Where it is not ok: what it is for, and how to get it. */
  readonly wayOut: string | null;
}

/** The native engine that is loaded. */
export interface DoctorEngine {
  readonly file: string;
  /** The variable LASTBIT_ENGINE, the build of a checkout, or an engine package. */
  readonly from: 'LASTBIT_ENGINE' | 'build' | 'package';
  /** Name and version of the engine package. */
  readonly package: string | null;
  /** The best instruction set of this CPU, and all that it has. */
  readonly best: string;
  readonly tiers: readonly string[];
}

/** What `doctor` found. */
export interface DoctorDocument {
  /** Nothing that is required is missing. */
  readonly ok: boolean;
  readonly lastbit: string;
  /** Node or Bun, with its version. */
  readonly runtime: string;
  /** As engine packages are named: `linux-x64-gnu`. */
  readonly platform: string;
  readonly cpu: string;
  readonly threads: number;
  readonly memoryMiB: number;
  readonly freeMemoryMiB: number;
  readonly engine: DoctorEngine | null;
  readonly checks: readonly DoctorCheck[];
}

/** What `golden` wrote. */
export interface GoldenDocument extends AboutModels {
  readonly model: string;
  readonly target: string;
  readonly evidence: 'verified' | 'source' | 'unverified';
  readonly out: string;
  readonly manifest: string;
  readonly layers: number;
  readonly images: number;
  readonly arrays: number;
  readonly files: number;
  /** Numbers in all arrays, each counted once whatever the formats. */
  readonly values: number;
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** The first thing that is not as a manifest says. */
export interface VerifyDifference {
  readonly kind: 'program' | 'model' | 'missing file' | 'file' | 'image' | 'array';
  /** Relative to the manifest; of an array without its ending. */
  readonly path: string;
  readonly layer?: string;
  readonly array?: string;
  readonly axes?: string;
  /** By axis. */
  readonly position?: readonly number[];
  /** In the file. */
  readonly expected?: string;
  /** Computed now. */
  readonly got?: string;
}

/** What `verify` compared; `first` is the first thing that is not as the manifest says. */
export interface VerifyDocument {
  readonly manifest: string;
  readonly target: string;
  readonly ok: boolean;
  readonly layers: number;
  readonly images: number;
  /** Files whose hash was compared. */
  readonly files: number;
  /** Arrays that were computed again. */
  readonly arrays: number;
  readonly values: number;
  readonly differing: number;
  readonly first: VerifyDifference | null;
  readonly seconds: number;
}

/** What an experiment found of a paper's claims. */
export interface ExperimentDocument {
  readonly experiment: string;
  readonly paper: string;
  readonly nets: readonly {
    readonly name: string;
    readonly file: string;
    readonly sha256: string;
  }[];
  /** Tested for each net. */
  readonly images: number;
  readonly claims: readonly Claim[];
  readonly tables: readonly ExperimentTable[];
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** What the profiles were compared with. */
export interface EvidenceDocument {
  readonly rows: readonly EvidenceRow[];
  /** Different runtimes and versions. */
  readonly runtimes: number;
  readonly values: number;
  readonly differing: number;
  readonly accepted: readonly AcceptedTolerance[];
}

/** What `report` made. */
export interface ReportDocument {
  readonly output: string;
  readonly bytes: number;
  readonly networks: readonly {
    readonly name: string;
    /** The documents that it is about. */
    readonly documents: readonly { readonly file: string; readonly command: string }[];
    readonly sections: readonly string[];
  }[];
  /** Files of --plots. */
  readonly plots: readonly string[];
  readonly seconds: number;
}

// SPDX-License-Identifier: Apache-2.0
// What layers a device takes at all, whatever their numbers: published limits as data. lower/limits.ts
// checks them.

/** Limits of layers; what is absent is not limited. Ranges are inclusive. */
export interface LayerLimits {
  /** Sides of square kernels of convolutions. */
  readonly squareKernels?: readonly number[] | undefined;
  /** Greatest side of a kernel, its dilation included. */
  readonly greatestKernel?: number | undefined;
  /** Greatest height times width of a kernel, its dilation included. */
  readonly greatestKernelArea?: number | undefined;
  readonly greatestStride?: number | undefined;
  readonly greatestDilation?: number | undefined;
  /** Groups of a convolution: none, or as many as channels. */
  readonly groups?: 'one' | 'oneOrDepthwise' | undefined;
  /** Input and output channels. */
  readonly greatestChannels?: number | undefined;
  /** Sides of images that convolutions read. */
  readonly imageHeight?: readonly [least: number, greatest: number] | undefined;
  readonly imageWidth?: readonly [least: number, greatest: number] | undefined;
  /** Sides of the window of a pool over less than the whole image. */
  readonly greatestPool?: number | undefined;
  readonly greatestPoolStride?: number | undefined;
  /** Whether pools may have padding. */
  readonly paddedPools?: false | undefined;
  /** Convolutions and fully connected layers of a network. */
  readonly layers?: number | undefined;
  /** Of all layers together. */
  readonly weightBytes?: number | undefined;
}

export interface DeviceLimits {
  /** Where they are published. */
  readonly source: string;
  /** Beyond these the device has no integers of the profile: the model is refused. */
  readonly refused?: LayerLimits | undefined;
  /** Beyond these the network does not fit the device; its arithmetic can be emulated all the same. */
  readonly noted?: LayerLimits | undefined;
}

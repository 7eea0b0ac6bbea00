// SPDX-License-Identifier: Apache-2.0
import type { TargetConstraints } from '../../targets/target.js';

/** Whether a recipe may give the channels of one tensor clamps of their own. */
export function mayClampChannels({
  perChannelClamp,
  channelClamps,
}: Pick<TargetConstraints, 'perChannelClamp' | 'channelClamps'>): boolean {
  return perChannelClamp && channelClamps !== 'slow';
}

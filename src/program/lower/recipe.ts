// SPDX-License-Identifier: Apache-2.0
import type { Recipe, RecipeKind, TargetArithmetic } from '../../targets/target.js';

/**
 * How a kind of layer turns scales into multipliers: the general recipe, over it what the kind
 * does differently, and over these the same two of unsigned layers.
 *
 * @param dtype of the weights, or of the factors of a product
 */
export function recipeOf(
  arithmetic: TargetArithmetic,
  kind: RecipeKind | 'conv',
  dtype: string,
): Recipe {
  const { product, code, kinds, u8 } = arithmetic;
  const layers = dtype === 'u8' ? [{ kinds }, { ...u8 }] : [{ kinds }];
  const recipe = { product, code };
  return layers.reduce<Recipe>((found, layer) => {
    const { kinds: special, ...general } = layer;
    const own = kind === 'conv' ? {} : special?.[kind];
    const connected = kind === 'fullyConnectedPerTensor' ? special?.fullyConnected : {};
    return { ...found, ...general, ...connected, ...own };
  }, recipe);
}

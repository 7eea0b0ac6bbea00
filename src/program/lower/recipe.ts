// SPDX-License-Identifier: Apache-2.0
import type { Recipe, RecipeKind, Recipes, TargetArithmetic } from '../../targets/target.js';

/**
 * How a kind of layer turns scales into multipliers: the general recipe, over it what the kind
 * does differently, and over these the same two of layers with unsigned weights or 16-bit codes.
 *
 * @param dtype of the weights, or of the factors of a product
 * @param input type of the codes that the layer reads, if not the same
 */
export function recipeOf(
  arithmetic: TargetArithmetic,
  kind: RecipeKind | 'conv',
  dtype: string,
  input = dtype,
): Recipe {
  const { product, code, kinds, u8, s16 } = arithmetic;
  const special = dtype === 'u8' ? u8 : input === 's16' ? s16 : undefined;
  const layers: readonly Recipes[] = [{ kinds: kinds ?? {} }, { ...special }];
  const recipe = { product, code };
  return layers.reduce<Recipe>((found, layer) => {
    const general = {
      ...(layer.product === undefined ? {} : { product: layer.product }),
      ...(layer.code === undefined ? {} : { code: layer.code }),
    };
    const own = kind === 'conv' ? {} : layer.kinds?.[kind];
    const connected = kind === 'fullyConnectedPerTensor' ? layer.kinds?.fullyConnected : {};
    return [general, connected, own].reduce<Recipe>(over, found);
  }, recipe);
}

/** A recipe with what differs; another code has no rest but its own. */
function over(found: Recipe, change: Partial<Recipe> | undefined): Recipe {
  return { ...found, ...(change?.code === undefined ? {} : { rest: undefined }), ...change };
}

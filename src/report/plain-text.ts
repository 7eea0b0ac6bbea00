// SPDX-License-Identifier: Apache-2.0

/** Text of which XML and HTML can hold every character: what they forbid becomes U+FFFD. */
export function plainText(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}

// SPDX-License-Identifier: Apache-2.0
// A file's name says nothing of what a decoder will be asked to do; its first bytes do.

export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'avif';

/** The format that a file begins like (each format's own specification), if it is one that is read. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  const text = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^GIF8[79]a/.test(text)) return 'gif';
  if (/^RIFF[^]{4}WEBP/.test(text)) return 'webp';
  // 42 is TIFF, 43 BigTIFF, in either byte order.
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return 'tiff';
  return /^[^]{4}ftyp(avif|avis|mif1|miaf)/.test(text) ? 'avif' : undefined;
}

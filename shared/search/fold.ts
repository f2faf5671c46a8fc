/**
 * The form in which texts are compared: compatibility characters as what they stand for, lower case (sigma is
 * one letter wherever it stands), and white space or control
 * characters as one space, so that no text has a line break.
 */
export function fold(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .replace(/[\s\p{Cc}]+/gu, ' ');
}

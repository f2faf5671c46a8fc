/** A text in which `*` stands for any text, also none: a segment of a key, or the name of a namespace. */
export class Glob {
  readonly #first: string;
  readonly #middle: readonly string[];
  /** Absent without a `*`: the text itself. */
  readonly #last: string | undefined;

  constructor(text: string) {
    const [first = '', ...others] = text.split('*');
    this.#first = first;
    this.#last = others.pop();
    this.#middle = others;
  }

  /**
   * Whether a text matches; what stands in it is literal. So a glob matches another one's text exactly if it matches all that that one
   * does: a `*` in it is a character that none but a `*` takes.
   *
   * @param isOpen whether every text that begins with this one has to match.
   */
  matches(text: string, isOpen = false): boolean {
    const last = this.#last;
    if (last === undefined) {
      return !isOpen && text === this.#first;
    }
    if (!text.startsWith(this.#first) || (isOpen && last !== '')) {
      return false;
    }
    let from = this.#first.length;
    for (const part of this.#middle) {
      const at = text.indexOf(part, from);
      if (at < 0) {
        return false;
      }
      from = at + part.length;
    }
    return text.length - last.length >= from && text.endsWith(last);
  }
}

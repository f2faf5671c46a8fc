import { AddressRanges } from '../platform/address-ranges.ts';

/** Who may use the surfaces of replaced systems, whose clients cannot send a token. */
export class LegacyAccess {
  readonly #setting: 'off' | 'open' | AddressRanges;

  constructor(setting: 'off' | 'open' | readonly string[]) {
    this.#setting = typeof setting === 'string' ? setting : new AddressRanges(setting);
  }

  admits(address: string | undefined): boolean {
    if (this.#setting === 'off') {
      return false;
    }
    return this.#setting === 'open' || (address !== undefined && this.#setting.includes(address));
  }
}

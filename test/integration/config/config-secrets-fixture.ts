import { ConfigSecrets } from '../../../shared/config/index.ts';
import { notFound } from '../../../shared/platform/errors.ts';
import { Sealer } from '../../../shared/platform/sealer.ts';

export const OLD_KEY = Buffer.alloc(32, 1);
export const NEW_KEY = Buffer.alloc(32, 2);

/** Secrets under some keys, the newest first, and vaults that hold `VALUE of VAULT/NAME`, but none that is called `none`. */
export function configSecrets(keys: readonly Buffer[] = [OLD_KEY]): ConfigSecrets {
  return new ConfigSecrets({
    sealer: new Sealer(keys),
    vaults: {
      async read({ vault, name }) {
        if (name === 'none') throw notFound('There is no such secret.');
        return `VALUE of ${vault}/${name}`;
      },
    },
  });
}

import { Applications, ConfigSecrets } from '../shared/config/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import { azureCredential } from '../shared/platform/identity.ts';
import { KeyVaults } from '../shared/platform/key-vaults.ts';
import { Sealer } from '../shared/platform/sealer.ts';
import type { Settings } from '../shared/platform/settings.ts';
import type { Records } from '../shared/records/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers work with, of configurations. */
export interface ConfigServices {
  readonly applications: Applications;
}

/** With what only other services work with. */
export interface ConfigParts extends ConfigServices {
  readonly sealer: Sealer;
  readonly keyVaults: KeyVaults;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly records: Records;
}

/** How the services of configurations are made; Azure is asked when a reference to Key Vault is resolved. */
export function configServices(): Makers<ConfigParts, ConfigParts & Foundation> {
  return {
    sealer: ({ settings }) => new Sealer(settings.SKERRY_SECRET_KEYS),
    keyVaults: ({ settings, clock }) =>
      new KeyVaults({
        vaults: settings.SKERRY_KEYVAULTS,
        credential: azureCredential({ clientId: settings.AZURE_CLIENT_ID }),
        clock,
      }),
    applications: ({ records, sealer, keyVaults: vaults }) =>
      new Applications(records, new ConfigSecrets({ sealer, vaults })),
  };
}

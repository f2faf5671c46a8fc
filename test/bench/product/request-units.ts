import { Applications } from '../../../shared/config/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Leases, Records } from '../../../shared/records/index.ts';
import { Registry } from '../../../shared/registry/index.ts';
import { configSecrets } from '../../integration/config/config-secrets-fixture.ts';
import { startMeteredDatabase, type Usage } from './metered-database.ts';

export interface Cost extends Usage {
  readonly operation: string;
}

/** What single operations cost in Cosmos DB, by the emulator's model of request charges (Strong reads are billed double in Azure). */
export async function measureRequestUnits(): Promise<Cost[]> {
  const { database, measure, stop } = await startMeteredDatabase();
  const clock = systemClock;
  const records = new Records({
    container: database.container(COSMOS_CONTAINERS.records.id),
    clock,
    random: systemRandom,
  });
  const leases = new Leases({ container: database.container(COSMOS_CONTAINERS.leases.id), clock });
  const applications = new Applications(records, configSecrets());
  const registry = new Registry({ records, leases, clock, expiredGraceSeconds: 300 });
  const author = { actor: 'bench' };
  const instance = { endpoints: { http: 'http://10.0.0.1:8080' }, ttl: 60, tags: ['blue'], zone: 'eu-1' };
  const address = (id: string) => ({ ns: 'default', service: 'web', id });
  const config = { text: 'x'.repeat(150) };
  let count = 0;

  await applications.put('default', 'app', { config, schema: undefined }, { author });
  await applications.list('default');
  for (let host = 0; host < 10; host += 1) {
    await registry.register(address(`host${host}`), instance, { author });
  }
  await registry.getService('default', 'web');

  const operations: Record<string, () => Promise<unknown>> = {
    'GET app': () => applications.get('default', 'app'),
    'list apps, nothing changed': () => applications.list('default'),
    'list apps, max-stale': () => applications.list('default', { maxAgeSeconds: 60 }),
    'PUT app': () => {
      count += 1;
      return applications.put(
        'default',
        'app',
        { config: { ...config, count }, schema: undefined },
        { author },
      );
    },
    'PUT app, equal': () =>
      applications.put('default', 'app', { config: { ...config, count }, schema: undefined }, { author }),
    'service of 10, nothing changed': () => registry.getService('default', 'web'),
    'service of 10, max-stale': () => registry.getService('default', 'web', { maxAgeSeconds: 60 }),
    'register an instance': () => registry.register(address('new'), instance, { author }),
    'heartbeat with a whole ttl left': () => registry.heartbeat(address('new')),
    'deregister an instance': () => registry.deregister(address('new'), { author }),
  };
  const costs: Cost[] = [];
  for (const [operation, run] of Object.entries(operations)) {
    costs.push({ operation, ...(await measure(run)) });
  }
  await stop();
  return costs;
}

import { startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import config from './Config.json' with { type: 'json' };

/** The emulator as a process of its own, so that a test can kill it: `node emulator-process.ts DATA_FOLDER`. */
const [, , dataFolder = ''] = process.argv;
const server = await startServiceBusServer({ port: 0, dataFolder, config });
console.log(server.connectionString);

import { startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import config from './Config.json' with { type: 'json' };

/** The emulator as a process of its own, so that a test can kill it: `node emulator-process.ts DATA_FOLDER PORT`. */
const [, , dataFolder = '', port = '0'] = process.argv;
const server = await startServiceBusServer({ port: Number(port), dataFolder, config });
console.log(server.connectionString);

/** Configuration of applications: JSON documents that may carry the JSON Schema which they must satisfy. */
export type { Application, ApplicationValue, JsonObject, JsonSchema } from './application.ts';
export {
  type ApplicationInput,
  type ApplicationListing,
  type ApplicationPut,
  Applications,
  unknownApplication,
  type WriteOptions,
} from './applications.ts';
export { ConfigChecker } from './config-checker.ts';
export { ConfigSecrets, placeOfClearSecret } from './config-secrets.ts';

import picomatch from 'picomatch';
import type { PullPolicy } from '../../contracts/job-spec.js';
import { MachineError, type EngineSettings, type MachineRequest, type ServiceRequest } from '../engine.js';

/** An image to get, and how. */
export interface WantedImage {
  name: string;
  policies: PullPolicy[];
  platform?: string;
}

export interface AllowedRequest {
  image: WantedImage;
  user: string | undefined;
  services: { request: ServiceRequest; image: WantedImage }[];
}

/**
 * Holds a job against what the operator allows on this engine (gitlab-protocol sections 5.6, 5.7).
 * @throws MachineError NOT_ALLOWED, naming what, the rule, and the setting
 */
export function assertAllowed(settings: EngineSettings, request: MachineRequest): AllowedRequest {
  const name = request.image?.name ?? settings.defaultImage;
  if (name !== settings.defaultImage) assertListed(name, settings.allowedImages, 'image', 'allowedImages');
  if (settings.servicesLimit >= 0 && request.services.length > settings.servicesLimit) {
    throw refused(
      `The job asks for ${String(request.services.length)} services; this runner allows ${String(settings.servicesLimit)} (servicesLimit)`,
    );
  }
  return {
    image: wanted(settings, name, request.image?.pullPolicy, request.image?.platform),
    user: allowedUser(settings, request.image?.user),
    services: request.services.map((service) => {
      assertListed(service.name, settings.allowedServices, 'service', 'allowedServices');
      return { request: service, image: wanted(settings, service.name, service.pullPolicy, service.platform) };
    }),
  };
}

function wanted(
  settings: EngineSettings,
  name: string,
  asked: PullPolicy[] | undefined,
  platform: string | undefined,
): WantedImage {
  const policies = asked === undefined || asked.length === 0 ? settings.pullPolicy : asked;
  const allowed = settings.allowedPullPolicies.length > 0 ? settings.allowedPullPolicies : settings.pullPolicy;
  const forbidden = policies.find((policy) => !allowed.includes(policy));
  if (forbidden !== undefined) {
    throw refused(
      `Pull policy "${forbidden}" of image ${name} is not allowed here; allowed: ${allowed.join(', ')} (allowedPullPolicies)`,
    );
  }
  return { name, policies, ...(platform === undefined ? {} : { platform }) };
}

/** The configured user wins over the job's. */
function allowedUser(settings: EngineSettings, asked: string | undefined): string | undefined {
  const user = settings.user ?? asked;
  if (user === undefined || settings.allowedUsers.length === 0 || settings.allowedUsers.includes(user)) return user;
  throw refused(`User "${user}" is not allowed here; allowed: ${settings.allowedUsers.join(', ')} (allowedUsers)`);
}

function assertListed(name: string, patterns: string[], what: string, setting: string): void {
  if (patterns.length === 0 || picomatch(patterns, { dot: true })(name)) return;
  throw refused(`The ${what} "${name}" is not allowed here; allowed: ${patterns.join(', ')} (${setting})`);
}

function refused(message: string): MachineError {
  return new MachineError('NOT_ALLOWED', message, { retryable: false, traceMessage: message });
}

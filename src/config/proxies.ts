/** As programs of Unix are told of proxies. */
export interface Proxies {
  http?: string;
  https?: string;
  /** Names that are asked directly, with all below them; `*` for all. */
  except?: string;
}

/** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their lower-case twins. @returns undefined when there is no proxy */
export function proxiesFromEnvironment(env: NodeJS.ProcessEnv = process.env): Proxies | undefined {
  const http = addressOf(valueOf(env, 'HTTP_PROXY'));
  const https = addressOf(valueOf(env, 'HTTPS_PROXY'));
  const except = valueOf(env, 'NO_PROXY');
  if (http === undefined && https === undefined) return undefined;
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(except === undefined ? {} : { except }),
  };
}

function valueOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return [env[name], env[name.toLowerCase()]].find((value) => value !== undefined && value !== '');
}

/** `proxy:3128` means HTTP. */
function addressOf(value: string | undefined): string | undefined {
  return value === undefined || value.includes('://') ? value : `http://${value}`;
}

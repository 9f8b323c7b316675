# The worker (and every command of `holdfast`) as an image.
ARG NODE_IMAGE=node:22.21.1-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-fund --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev

FROM ${NODE_IMAGE}
ARG REVISION=unknown
ENV NODE_ENV=production HOLDFAST_REVISION=${REVISION}
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY bin bin
# A new volume takes owner and mode of the directory that it covers. 1000 is `node` in Node's images.
RUN install -d -o 1000 -g 1000 -m 0700 /var/lib/holdfast
USER 1000:1000
ENTRYPOINT ["/app/bin/holdfast"]
CMD ["worker", "--config", "/etc/holdfast/holdfast.yaml"]

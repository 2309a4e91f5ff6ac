// SPDX-License-Identifier: GPL-3.0-or-later
// An OpenID provider for tests: npm's oidc-provider with its own login pages for development, which take any password.
//
//   node openid_provider.cjs MODULES ADDRESS PORT CERTIFICATE KEY REDIRECT SECRET PATH GROUPS MINUTES
const fs = require('fs')
const https = require('https')
const [modules, address, port, certificate, key, redirect, secret, path, groups, minutes] = process.argv.slice(2)
const { Provider } = require(`${modules}/oidc-provider`)
const now = Date.now
Date.now = () => now() + Number(minutes) * 60000 // what its clock is wrong by
const known = JSON.parse(groups)

const provider = new Provider(`https://${address}:${port}`, {
    clients: [{
        client_id: 'orthweb', client_secret: secret, redirect_uris: [redirect],
        post_logout_redirect_uris: [`${redirect.split('?')[0]}?logout=1`],
        token_endpoint_auth_method: 'client_secret_post', response_types: ['code'], grant_types: ['authorization_code'],
    }],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    pkce: { required: () => false },
    findAccount: (context, id) => ({
        accountId: id,
        claims: async () => ({ sub: id, preferred_username: id, email: `${id}@elsewhere.example`, email_verified: true, groups: known[id] || [] }),
    }),
    features: { devInteractions: { enabled: true } },
    routes: { authorization: path },
    cookies: { keys: ['test'] },
})
provider.on('grant.error', (context, error) => console.log('grant', error.message, error.error_description))
provider.on('server_error', (context, error) => console.log(error))
https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, provider.callback())
    .listen(Number(port), address, () => console.log('ready'))

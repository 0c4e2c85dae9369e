// Shows the document, and lets one try it: cookies go by themselves, the CSRF token is repeated in its header.
const reference = document.getElementById('reference')

/** The CSRF token that the last login left, if there is one. */
function csrfToken() {
  return document.cookie.match(/(?:^|; )(?:__Host-)?latchway_csrf=([^;]+)/)?.[1]
}

SwaggerUIBundle({
  url: reference.dataset.document,
  domNode: reference,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: 'list',
  syntaxHighlight: { activated: false },
  validatorUrl: null,
  requestInterceptor: (request) => {
    const token = csrfToken()
    if (token && request.method !== 'GET') request.headers['X-CSRF-Token'] = token
    return request
  },
})

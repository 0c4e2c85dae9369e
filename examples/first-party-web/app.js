// The page: a form for whoever is not logged in, and who it is for whoever is.

import { call, login, logout } from './api.js'

const $ = (id) => document.getElementById(id)

function show(id, focus) {
  for (const part of ['login', 'account']) $(part).hidden = part !== id
  if (focus) $(focus).focus()
}

function tell(problem) {
  $('problem').textContent = problem ?? ''
  $('problem').hidden = !problem
}

/** Runs what a person asked for, and tells what went wrong. */
async function attempt(work) {
  tell()
  document.body.setAttribute('aria-busy', 'true')
  try {
    await work()
  } catch (error) {
    tell(error.code === 'invalid_grant' ? 'The user name or the password is wrong.' : error.message)
  } finally {
    document.body.removeAttribute('aria-busy')
  }
}

function present(me) {
  $('greeting').textContent = `Hello, ${me.name}`
  const facts = { 'User name': me.username, 'E-mail': me.email ?? 'none', Roles: me.roles.join(', ') }
  facts['Logged in'] = new Date(me.auth_time * 1000).toLocaleString()
  $('facts').replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => {
      const [term, detail] = [document.createElement('dt'), document.createElement('dd')]
      term.textContent = name
      detail.textContent = value
      return [term, detail]
    }),
  )
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault()
  const form = new FormData(event.target)
  attempt(async () => {
    await login(form.get('username'), form.get('password'))
    event.target.reset()
    present(await call('/me'))
    show('account', 'greeting')
  })
})

$('again').addEventListener('click', () =>
  attempt(async () => {
    try {
      // Several at once, as the parts of a real page would call.
      const [me] = await Promise.all([call('/me'), call('/me'), call('/me')])
      present(me)
    } catch (error) {
      show('login', 'username')
      if (error.code !== 'invalid_grant') throw error
      tell('You were logged out. Log in again.')
    }
  }),
)

$('logout').addEventListener('click', () =>
  attempt(async () => {
    await logout()
    show('login', 'username')
  }),
)

// Whoever is still logged in sees it at once.
try {
  present(await call('/me'))
  show('account')
} catch {
  show('login')
}
document.body.dataset.ready = 'true'

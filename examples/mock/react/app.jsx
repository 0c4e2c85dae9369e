import { UserManager, WebStorageStateStore } from 'oidc-client-ts'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'

const mock = new URLSearchParams(location.search).get('mock') ?? sessionStorage.getItem('mock') ?? 'http://127.0.0.1:8080'
sessionStorage.setItem('mock', mock)

const manager = new UserManager({
  authority: mock,
  client_id: 'shop',
  redirect_uri: `${location.origin}/`,
  scope: 'openid profile orders:read',
  loadUserInfo: true,
  userStore: new WebStorageStateStore({ store: sessionStorage }),
  automaticSilentRenew: false,
})

/** Calls the API; with a token that has expired, once more with a fresh one. */
async function call(path) {
  const ask = async (user) => fetch(mock + path, { headers: { Authorization: `Bearer ${user.access_token}` } })
  const answer = await ask(await manager.getUser())
  if (answer.status !== 401) return answer
  try {
    return await ask(await manager.signinSilent())
  } catch {
    await manager.removeUser()
    return answer
  }
}

function Shop() {
  const [user, setUser] = useState(null)
  const [orders, setOrders] = useState([])
  const [problem, setProblem] = useState('')

  useEffect(() => {
    const params = new URLSearchParams(location.search)
    const begin = params.has('code') || params.has('error') ? manager.signinCallback() : manager.getUser()
    begin.then(setUser, (error) => setProblem(error.message)).then(() => history.replaceState(null, '', '/'))
  }, [])

  const load = async () => {
    const answer = await call('/orders')
    setOrders(answer.ok ? await answer.json() : [])
    setProblem(answer.ok ? '' : `The API says ${answer.status}.`)
    setUser(await manager.getUser())
  }

  if (!user) {
    return (
      <>
        {problem && <p role="alert">{problem}</p>}
        <button onClick={() => manager.signinRedirect()}>Log in</button>
      </>
    )
  }
  return (
    <>
      <h1>Hello {user.profile.name}</h1>
      <button onClick={load}>Show my orders</button>
      {problem && <p role="alert">{problem}</p>}
      <ul>
        {orders.map((order) => (
          <li key={order.id}>
            {order.item}: {order.total} {order.margin !== undefined && <em>(margin {order.margin})</em>}
          </li>
        ))}
      </ul>
    </>
  )
}

createRoot(document.getElementById('app')).render(<Shop />)

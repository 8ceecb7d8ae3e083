//! `on_both!(behaviour, …)`: each behaviour is an async function that takes a [`TestApp`] or, where it
//! sets things up itself, a [`Backend`]; it becomes a module with a test `on_sqlite` and a test
//! `on_postgres`. A behaviour that is not listed is dead code, and the compiler says so.

use rollcall::db::Backend;

use super::app::TestApp;

/// What a behaviour starts from.
pub trait Given {
    /// Made for the database.
    async fn given(backend: Backend) -> Self;
}

impl Given for Backend {
    async fn given(backend: Backend) -> Self {
        backend
    }
}

impl Given for TestApp {
    async fn given(backend: Backend) -> Self {
        Self::start(backend).await
    }
}

/// Tries a behaviour on a database.
pub async fn try_on<T: Given>(backend: Backend, behaviour: impl AsyncFnOnce(T)) {
    behaviour(T::given(backend).await).await;
}

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        $(
            mod $behaviour {
                use rollcall::db::Backend;

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    $crate::support::macros::try_on(Backend::Sqlite, super::$behaviour).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgres() {
                    $crate::support::macros::try_on(Backend::Postgres, super::$behaviour).await;
                }
            }
        )*
    };
}

pub(crate) use on_both;

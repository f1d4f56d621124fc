use crate::{
    BestRequest, Client, HistoryView, MetricsList, MetricsView, Peers, PeersQuery, ScoreView,
    SelectionView, StatsView,
    client::{Result, segment},
};

impl Client {
    /// Known peers that pass a filter, in the order asked for.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError), as every call.
    pub async fn peers_by(&self, query: &PeersQuery) -> Result<Peers> {
        let mut path = format!(
            "/v1/peers?offset={}&level={}&sort={}&search={}",
            query.offset,
            segment(&query.level),
            segment(&query.sort),
            segment(&query.search)
        );
        for (name, value) in [
            ("limit", query.limit.map(|value| value.to_string())),
            (
                "min_uptime",
                query.min_uptime.map(|value| value.to_string()),
            ),
            ("encrypted", query.encrypted.map(|value| value.to_string())),
        ] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={value}"));
            }
        }
        self.get(&path).await
    }

    /// The metrics of all peers.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn metrics(&self) -> Result<MetricsList> {
        self.get("/v1/trust/metrics").await
    }

    /// The metrics of one peer.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn metrics_of(&self, id: &str) -> Result<MetricsView> {
        self.get(&format!("/v1/peers/{}/metrics", segment(id)))
            .await
    }

    /// The score of a peer by a model.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn score(&self, id: &str, model: &str) -> Result<ScoreView> {
        let (id, model) = (segment(id), segment(model));
        self.get(&format!("/v1/peers/{id}/score?model={model}"))
            .await
    }

    /// The best of some candidates.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError), also when too few pass the gates.
    pub async fn best(&self, request: &BestRequest) -> Result<SelectionView> {
        self.post("/v1/trust/best", request).await
    }

    /// The past of a peer.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn history(&self, id: &str) -> Result<HistoryView> {
        self.get(&format!("/v1/peers/{}/history", segment(id)))
            .await
    }

    /// Totals, levels, mean, and the best `top` peers.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn stats(&self, top: usize) -> Result<StatsView> {
        self.get(&format!("/v1/trust/stats?top={top}")).await
    }
}

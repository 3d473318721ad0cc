use ad_runtime::differentiable;

struct Document {
    features: Vec<f64>,
    relevance: u32,
}

struct Query {
    documents: Vec<Document>,
}

impl Query {
    fn ideal_gain(&self) -> f64 {
        let mut relevances: Vec<u32> = self.documents.iter().map(|d| d.relevance).collect();
        relevances.sort_unstable_by(|a, b| b.cmp(a));
        relevances.iter().enumerate().map(|(i, &r)| gain(r) / (i as f64 + 2.0).log2()).sum()
    }
}

fn gain(relevance: u32) -> f64 {
    (2f64.powi(relevance as i32) - 1.0).max(0.0)
}

/// Pairwise logistic ranking loss weighted by the change in NDCG under the current order (a constant).
#[differentiable(wrt(weights))]
fn lambda_loss(weights: &[f64], queries: &[Query], sigma: f64) -> f64 {
    let mut loss = 0.0;
    for query in queries {
        let scores: Vec<f64> = query
            .documents
            .iter()
            .map(|d| d.features.iter().zip(weights).map(|(f, w)| f * w).sum::<f64>().tanh())
            .collect();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap());
        let mut rank = vec![0; order.len()];
        for (position, &document) in order.iter().enumerate() {
            rank[document] = position;
        }
        let ideal = query.ideal_gain();
        let discount = |d: usize| 1.0 / (rank[d] as f64 + 2.0).log2();
        loss += query
            .documents
            .iter()
            .enumerate()
            .flat_map(|(i, a)| query.documents.iter().enumerate().map(move |(j, b)| (i, a, j, b)))
            .filter(|(_, a, _, b)| a.relevance > b.relevance)
            .map(|(i, a, j, b)| {
                let delta =
                    (gain(a.relevance) - gain(b.relevance)) * (discount(i) - discount(j)).abs() / ideal;
                delta * (1.0 + (-sigma * (scores[i] - scores[j])).exp()).ln()
            })
            .sum::<f64>();
    }
    loss
}

fn queries() -> Vec<Query> {
    let doc = |a: f64, b: f64, c: f64, relevance| Document { features: vec![a, b, c], relevance };
    vec![
        Query {
            documents: vec![
                doc(0.9, -0.3, 0.2, 2),
                doc(-0.4, 0.8, 0.1, 0),
                doc(0.3, 0.5, -0.9, 1),
                doc(-1.1, -0.2, 0.6, 0),
            ],
        },
        Query { documents: vec![doc(0.2, 0.7, 0.5, 0), doc(0.8, -0.9, 0.3, 3), doc(-0.6, 0.1, 1.2, 1)] },
    ]
}
fn point() -> Vec<f64> {
    vec![0.6, -0.5, 0.15]
}
fn value(x: &[f64]) -> f64 {
    lambda_loss(x, &queries(), 1.5)
}
#[test]
fn exact() {
    let queries = queries();
    crate::harness::check(
        "lambda_rank",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = lambda_loss_grad(x, &queries, 1.5, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            lambda_loss_hvp(x, &queries, 1.5, v, &mut hv);
            hv
        },
    );
}

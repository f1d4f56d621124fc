//! What a node holds does not depend on how many nodes there are. Alone in its process, because
//! the allocator counts.

use std::time::Duration;

use repute_tests::overlay::{Mesh, Plan};

/// Bytes that each node of a network holds after a while, its share of the simulator included.
fn held_by_each(nodes: usize) -> u64 {
    let mut grown = None;
    let used = allocation_counter::measure(|| {
        let mut mesh = Mesh::grown(1, nodes, &Plan::default());
        mesh.world.run_for(Duration::from_secs(60));
        // The same few speak, however many listen: an author is remembered by everybody.
        for n in 0..16 {
            mesh.publish(n % 8);
            mesh.world.run_for(Duration::from_millis(200));
        }
        grown = Some(mesh);
    });
    assert_eq!(grown.map_or(0, |mesh| mesh.alive()), nodes);
    u64::try_from(used.bytes_current).unwrap_or(0) / nodes as u64
}

#[test]
fn a_node_of_five_hundred_holds_no_more_than_one_of_sixty_four() {
    let (few, many) = (held_by_each(64), held_by_each(512));
    eprintln!("{few} bytes a node among 64, {many} among 512");
    assert!(many * 100 <= few * 115, "{few} and {many} bytes");
}

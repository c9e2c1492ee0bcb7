// SPDX-License-Identifier: MIT OR Apache-2.0

//! The conformance suite: one list of cases for every implementation of the device.
//!
//! A case is a function of the backend. The list says which ones run in a process of their own, because they
//! change limits or dispositions, fork, or count threads.

pub mod blocking;
pub mod channel;
pub mod delivery;
pub mod handles;
pub mod lanes;
pub mod lifecycle;
pub mod losses;
pub mod mappings;
pub mod policies;
pub mod registration;
pub mod sources;
pub mod standard;
pub mod streams;
pub mod writes;

/// Makes a `#[test]` of every case, for the backend that `$backend()` returns.
#[macro_export]
macro_rules! conformance {
    ($backend:path) => {
        $crate::conformance!(@ $backend, shared, registration, [
            defaults_are_written_back
            values_out_of_range_are_refused
            second_registration_is_busy
            target_must_be_of_this_process
            reading_needs_read_access
            nothing_works_unregistered
            counters_outlive_registrations
        ]);
        $crate::conformance!(@ $backend, isolated, registration, [
            target_must_block_or_handle
            unhandled_signal_is_not_sent
        ]);
        $crate::conformance!(@ $backend, shared, sources, [
            bad_sources_are_refused
            source_needs_write_access
            names_are_unique
            only_the_owner_destroys
            sources_go_with_their_file
            sources_are_listed_in_pages
            listing_counts_posts_and_subscribers
            subscription_errors
            subscriptions_are_limited
            unsubscribing_keeps_what_is_queued
            destroyed_source_leaves_its_events
            timer_posts_its_periods
            timer_starts_when_asked
            calls_need_a_driver
        ]);
        $crate::conformance!(@ $backend, shared, delivery, [
            records_carry_what_was_latched
            cookies_come_back
            per_event_signals_carry_handles
            per_event_window_paces_signals
            window_mode_bounds_signals
            doorbell_after_every_drain
            frames_are_whole_and_padded
            small_buffer_consumes_nothing
            poll_says_what_is_readable
            blocking_read_is_woken
            two_subscribers_get_everything
            concurrent_posters_lose_nothing
        ]);
        $crate::conformance!(@ $backend, isolated, delivery, [
            stream_per_event
            stream_per_event_limited
            stream_window
            stream_window_limited
            stream_coalesced
            stream_coalesced_limited
        ]);
        $crate::conformance!(@ $backend, shared, lanes, [
            lanes_are_read_lowest_first
            one_lane_is_read_by_itself
            full_lane_does_not_fill_another
            bad_lanes_are_refused
            coalesced_rings_once_for_a_drain
            arming_needs_a_drained_lane
            modes_change_while_events_come
            drains_without_signals
        ]);
        $crate::conformance!(@ $backend, shared, policies, [
            oldest_make_place
            oldest_payloads_make_place
            only_the_latest_stays
            withdrawn_handles_name_no_payload
            filters_let_pass_what_they_say
            bad_filters_are_refused
            source_that_ends_says_so
            channel_keeps_the_latest
        ]);
        $crate::conformance!(@ $backend, shared, standard, [
            standard_signals_are_accepted
            standard_lane_stays_one
            standard_signal_rings_once
            standard_doorbell_stands_for_all
            stream_standard
        ]);
        $crate::conformance!(@ $backend, isolated, standard, [
            stream_standard_limited
        ]);
        $crate::conformance!(@ $backend, shared, losses, [
            full_queue_makes_an_exact_gap
            used_up_quota_makes_an_exact_gap
            payload_over_quota_makes_a_gap
            slow_subscriber_does_not_disturb_another
            any_pattern_of_losses_is_accounted_for
        ]);
        $crate::conformance!(@ $backend, shared, handles, [
            pread_by_parts_keeps_the_event
            complete_pread_consumes_per_event
            pread_keeps_in_window_mode
            flags_choose_consumption
            pread_with_record
            inline_payload_by_handle
            gap_has_no_payload
            stale_handles_name_nothing
            forged_handles_name_nothing
            foreign_handles_name_nothing
        ]);
        $crate::conformance!(@ $backend, shared, mappings, [
            mapping_shows_one_payload
            mapping_can_keep_the_event
            bad_mappings_are_refused
        ]);
        $crate::conformance!(@ $backend, shared, writes, [
            garbage_posts_nothing
            batch_is_all_or_nothing
            batch_is_posted_in_order
            timers_take_no_posts
            long_payloads_are_refused
        ]);
        $crate::conformance!(@ $backend, shared, blocking, [
            writer_waits_for_room
            writer_that_does_not_wait_is_told
            posts_that_cannot_wait_lose_the_newest
            all_subscribers_are_served_once
            writers_do_not_take_each_others_room
            waiting_ends_with_its_reason
        ]);
        $crate::conformance!(@ $backend, shared, streams, [
            bytes_are_joined
            stream_can_be_a_pipe
            loss_interrupts_a_stream
            stream_errors
            stream_wakes_its_reader
        ]);
        $crate::conformance!(@ $backend, shared, lifecycle, [
            no_signal_after_unregistering
            unregistering_wakes_a_reader
            closing_ends_delivery
            exited_target_without_failover_keeps_events
            exited_target_is_replaced
            sibling_thread_can_be_the_target
        ]);
        $crate::conformance!(@ $backend, isolated, lifecycle, [
            forged_signals_are_harmless
        ]);
        $crate::conformance!(@ $backend, shared, channel, [
            events_arrive_in_select
            inline_and_large_payloads_arrive
            gaps_are_values
            full_channel_is_backpressure
            full_channel_does_not_delay_the_end
            forged_signals_do_not_confuse_the_dispatcher
            batches_are_posted
            errors_say_what_is_wrong
            explicit_signal_is_used
            many_subscriptions_at_once
            receivers_end_with_the_subscription
        ]);
        $crate::conformance!(@ $backend, isolated, channel, [
            dropping_restores_mask_and_leaves_no_thread
            forked_child_is_inert
            nothing_is_lost_without_queued_signals
        ]);
    };
    (@ $backend:path, $how:ident, $module:ident, [$($case:ident)*]) => {
        $(
            #[test]
            fn $case() {
                $crate::harness::$how(
                    stringify!($case),
                    &$backend(),
                    $crate::conformance::$module::$case,
                );
            }
        )*
    };
}

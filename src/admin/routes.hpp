// The handlers of all routes; one file per resource. Called on: admin thread.
#pragma once

#include "rest.hpp"

namespace fulmar::admin::routes {

// routes_target.cpp
void health(const call_ptr& call);
void version(const call_ptr& call);
void metrics(const call_ptr& call);
void connections(const call_ptr& call);
void show_connection(const call_ptr& call);
void end_connection(const call_ptr& call);
void recorder(const call_ptr& call);
void timeline(const call_ptr& call);
void openapi(const call_ptr& call);
void page(const call_ptr& call);
void page_style(const call_ptr& call);
void page_script(const call_ptr& call);
void config(const call_ptr& call);
void reload(const call_ptr& call);

// routes_subsystem.cpp
void list_subsystems(const call_ptr& call);
void create_subsystem(const call_ptr& call);
void show_subsystem(const call_ptr& call);
void put_subsystem(const call_ptr& call);
void patch_subsystem(const call_ptr& call);
void delete_subsystem(const call_ptr& call);
void pause_subsystem(const call_ptr& call);
void resume_subsystem(const call_ptr& call);
void list_hosts(const call_ptr& call);
void show_host(const call_ptr& call);
void add_host(const call_ptr& call);
void remove_host(const call_ptr& call);

// routes_namespace.cpp
void list_namespaces(const call_ptr& call);
void add_namespace(const call_ptr& call);
void show_namespace(const call_ptr& call);
void patch_namespace(const call_ptr& call);
void remove_namespace(const call_ptr& call);
void lift_protection(const call_ptr& call);

// routes_ana_group.cpp
void list_keys(const call_ptr& call);
void show_key(const call_ptr& call);
void set_key(const call_ptr& call);
void remove_key(const call_ptr& call);
void put_host(const call_ptr& call);
void list_ana_groups(const call_ptr& call);
void show_ana_group(const call_ptr& call);
void put_ana_group(const call_ptr& call);
void patch_ana_group(const call_ptr& call);
void delete_ana_group(const call_ptr& call);
void put_ana_path(const call_ptr& call);
void delete_ana_path(const call_ptr& call);

// routes_device.cpp
void list_devices(const call_ptr& call);
void create_device(const call_ptr& call);
void show_device(const call_ptr& call);
void patch_device(const call_ptr& call);
void delete_device(const call_ptr& call);
void reopen_device(const call_ptr& call);
void list_listeners(const call_ptr& call);
void show_listener(const call_ptr& call);
void add_listener(const call_ptr& call);
void remove_listener(const call_ptr& call);

// routes_drive.cpp
void list_drives(const call_ptr& call);
void show_drive(const call_ptr& call);
void bind_drive(const call_ptr& call);
void unbind_drive(const call_ptr& call);
void attach_drive(const call_ptr& call);
void detach_drive(const call_ptr& call);
void drain_drive(const call_ptr& call);
void locate_drive(const call_ptr& call);
void events(const call_ptr& call);

// routes_token.cpp
void whoami(const call_ptr& call);
void list_tokens(const call_ptr& call);
void create_token(const call_ptr& call);
void show_token(const call_ptr& call);
void revoke_token(const call_ptr& call);
void rotate_token(const call_ptr& call);

// routes_referral.cpp
void list_referrals(const call_ptr& call);
void add_referral(const call_ptr& call);
void show_referral(const call_ptr& call);
void remove_referral(const call_ptr& call);

}  // namespace fulmar::admin::routes

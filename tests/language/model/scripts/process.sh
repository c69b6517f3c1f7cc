#!/bin/sh
echo processed
